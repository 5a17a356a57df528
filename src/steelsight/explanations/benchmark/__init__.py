"""The benchmark of explanation methods against masks (the verb `league`)."""
