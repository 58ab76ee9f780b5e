"""Every option of every part trains; in the slow tier it is also stopped and resumes to the last bit.

Tables map each name of a registry, or each key of the config, to runs that exercise it, modes included. A
test asserts that a table holds all names and keys there are, and how many: a new part or key without a
trial fails. ``trials.py`` is the run itself: three updates; with the fixture ``resumes`` killed after the
second, and resumed. Of training there is one table, ``table.py``: its mixtures are stopped and resumed with
more updates, and the default tier does so with the quick ones.
"""
