"""Signals that stop a run, and the mark it leaves."""
