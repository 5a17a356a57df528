"""What the calls of the API return."""
