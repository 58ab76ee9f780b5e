"""What ``evaluate`` is made of: its inputs, its tables, its rows of samples."""
