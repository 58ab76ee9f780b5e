"""What is found wrong in data: images looked at once each, duplicates, names, leaks."""
