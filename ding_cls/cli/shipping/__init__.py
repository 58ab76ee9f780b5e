"""Verbs that take a trained network elsewhere: into other files, or behind a server."""
