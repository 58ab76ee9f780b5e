"""Datasets: images and their targets, from folders, lists, arrays and published sets."""
