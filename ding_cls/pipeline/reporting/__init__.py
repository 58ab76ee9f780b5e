"""The report of one evaluation: gathered from a checkpoint, its run and its data, and written as one page."""
