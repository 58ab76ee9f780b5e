"""Logs: text, rows, events, and streams that may fail."""
