"""What is computed from the predictions for all samples at once: intervals, comparisons, confidence."""
