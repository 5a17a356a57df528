"""The training loop: batches, losses, optimiser, state."""
