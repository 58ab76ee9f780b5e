"""What an evaluation found: its samples, its numbers, as text and as files; without torch."""
