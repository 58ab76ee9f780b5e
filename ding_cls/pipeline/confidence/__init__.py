"""Confidence: what an evaluation says of a checkpoint's scores, kept in the checkpoint."""
