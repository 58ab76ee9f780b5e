"""The loop around one update: batches, progress, evaluation on the way, interruption, what goes wrong."""
