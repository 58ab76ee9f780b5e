"""Hooks: the built-in ones and the ways to bring one's own."""
