"""Cross-validation: the plan, its folds, its files, what it shows, averaged predictions."""
