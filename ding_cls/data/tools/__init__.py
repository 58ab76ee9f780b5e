"""Work on data before a training: dividing a folder, unpacking ImageNet's archives."""
