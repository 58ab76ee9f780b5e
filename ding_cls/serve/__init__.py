"""Predictions over HTTP: a server, its limits, and a page to try it on.

It knows predictors; it must not know how a network is trained, nor the command line.
"""
