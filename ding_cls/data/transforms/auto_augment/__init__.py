"""AutoAugment and RandAugment: operations, magnitudes, policies."""
