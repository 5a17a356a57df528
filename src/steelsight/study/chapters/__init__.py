"""The report's chapters."""
