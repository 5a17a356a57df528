"""Models: the study's four networks, their heads, their weights, their checkpoints, and a look inside."""
