"""Verbs that show what a config will do, or what runs have done."""
