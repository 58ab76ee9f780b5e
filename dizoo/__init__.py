"""The zoo: what is trained with ding_cls, one package for each task."""
