"""From a checkpoint to a bundle that answers as it does, or to none."""
