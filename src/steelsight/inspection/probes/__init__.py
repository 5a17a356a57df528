"""What each layer separates: linear probes and t-SNE maps."""
