"""A predictor of an exported ONNX file, by NumPy, Pillow and ONNX Runtime: where there is no torch.

It must not know torch, nor how the file was made.
"""
