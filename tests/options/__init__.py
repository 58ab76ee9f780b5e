"""Every option of every part trains, stops and resumes to the last bit.

Tables map each name of a registry, or each key of the config, to runs that exercise it, modes included. A
test asserts that a table holds all names and keys there are, and how many: a new part or key without a
trial fails. ``trials.py`` is the run itself: three updates, killed after the second, resumed.
"""
