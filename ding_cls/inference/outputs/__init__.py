"""What predict leaves: lines and tables, drawn and sorted images, heat maps."""
