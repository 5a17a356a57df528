"""The study's four networks: heads, weights, checkpoints, and access to their layers."""
