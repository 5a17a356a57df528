"""What happens inside a network: its layers, its neurons, and whose weights they could be."""
