"""ONNX files: read, checked, and written again for the engines."""
