"""Judges images that are sent: decoding in threads, and batches of the engine from concurrent requests."""
