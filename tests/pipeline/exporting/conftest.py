"""Tiny runs, each trained once: what is published."""

from tests.inference.conftest import images, several, tasks, trained

__all__ = ["images", "several", "tasks", "trained"]
