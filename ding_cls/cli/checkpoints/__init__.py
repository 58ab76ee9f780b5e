"""Verbs that judge a trained network or put it to use."""
