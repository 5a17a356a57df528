"""Groups, near-duplicates and splits."""
