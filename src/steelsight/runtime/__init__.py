"""Inference with an exported bundle: bundle, engine, scan, parity; no torch."""
