"""Noise and camera corruptions, and accuracy as they grow."""
