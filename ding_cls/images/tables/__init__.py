"""Tables of images: their text read, their columns told apart, their files found."""
