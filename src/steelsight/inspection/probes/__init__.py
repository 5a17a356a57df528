"""Class separability of each layer: linear probes and t-SNE maps."""
