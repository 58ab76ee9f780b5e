"""Heads: what maps features to logits, and the losses they bring."""
