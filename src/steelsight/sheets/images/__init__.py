"""Image files, pixels at model size, and their changes."""
