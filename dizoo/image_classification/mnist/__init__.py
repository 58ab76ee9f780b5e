"""Recipes on MNIST's digits: one of them, several on a picture, four in a row (``docs/digits.md``)."""
