"""Parts of one update: gradient clipping, loss scaling, SAM, the guard against non-finite numbers, sums."""
