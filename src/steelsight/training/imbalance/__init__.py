"""What is done about rare classes: flipped copies, patches, pasted defects. `losses` has the weights."""
