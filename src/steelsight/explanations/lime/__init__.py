"""LIME: segments, samples, masked predictions, surrogate."""
