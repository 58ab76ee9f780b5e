"""Weights from files: reading, fetching, fitting them to a network, and what they declare of their input."""
