"""Translates mmclassification's spelling to ours. What exists for its sake alone lives here."""
