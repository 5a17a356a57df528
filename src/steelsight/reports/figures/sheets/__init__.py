"""Figures of data sets and of generated sheets."""
