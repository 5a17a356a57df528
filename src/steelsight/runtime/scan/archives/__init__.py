"""Tar and zip archives, listed and read in memory. Nothing is unpacked to disk."""
