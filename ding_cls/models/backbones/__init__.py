"""Backbones: what maps images to feature maps. They must not know heads or losses."""
