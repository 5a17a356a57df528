"""Agreement of a bundle's outputs with those of its source model."""
