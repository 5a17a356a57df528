"""Entries, their canonical bytes, and the hashes that chain them."""
