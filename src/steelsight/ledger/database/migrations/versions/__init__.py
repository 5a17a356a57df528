"""One file for each released schema; a released file never changes."""
