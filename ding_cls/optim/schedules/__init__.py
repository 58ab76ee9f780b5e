"""Schedules: pure functions of the position in training."""
