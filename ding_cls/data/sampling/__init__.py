"""Which samples come when: the order of an epoch, the shares of ranks, splits and folds."""
