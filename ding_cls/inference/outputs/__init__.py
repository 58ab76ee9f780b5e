"""What a prediction leaves in folders: drawn images, heat maps, sorted images."""
