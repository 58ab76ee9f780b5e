"""What a learner keeps between updates, and how it is saved and restored."""
