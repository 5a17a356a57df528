"""DATA folders before a run: descriptions of real ones, and synthetic ones."""
