"""What a network's inside has learnt: layers probed, neurons shown, weights exchanged."""
