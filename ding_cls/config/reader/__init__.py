"""Reads config files as data: Python's syntax as a tree, YAML and JSON. It runs no code."""
