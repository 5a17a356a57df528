"""Agreement of a bundle with its source model."""
