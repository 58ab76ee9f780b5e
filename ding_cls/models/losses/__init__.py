"""Losses and how they are reduced. They must not know networks."""
