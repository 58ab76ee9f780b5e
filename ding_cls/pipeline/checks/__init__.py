"""What is looked at before a run trains: whether its parts, its processes and its data fit together."""
