"""A trained network in other hands: ONNX, torch's exported program, weights alone; each checked against the
checkpoint before it is published.

It knows predictors and files; it must not know how a network is trained, nor the command line.
"""

from ding_cls.export.checking.equality import EqualityReport, check_equality
from ding_cls.export.files import export_file, export_onnx

__all__ = ["EqualityReport", "check_equality", "export_file", "export_onnx"]
