"""``compare``: two or more results on the same images, image by image."""
