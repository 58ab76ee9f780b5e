"""Image classification: policy, data, recipes and mains under the names that users of this design know."""
