"""What a trained network has inside: its layers, its neurons, its weights in another's place."""
