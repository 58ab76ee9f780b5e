"""Configs and mains: ``python -m dizoo.image_classification.entry.imagenet_res18_main``."""
