"""What the evaluator is made of: when, over which batches, the sums, the best, the results."""
