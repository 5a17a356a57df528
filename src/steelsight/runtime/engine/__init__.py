"""Inference with a bundle: backends, decoding, verdicts, regions."""
