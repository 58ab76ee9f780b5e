"""The datasets of a run: which splits there are, what describes them, their statistics."""
