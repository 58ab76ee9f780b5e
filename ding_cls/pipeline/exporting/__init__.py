"""From a run to a file of its network: which images both are compared on, and what is said of it."""
