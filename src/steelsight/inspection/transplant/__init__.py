"""Effect of replacing parts of one model by those of another, and similarity of two models."""
