"""Surfaces, defects and nuisances of generated sheets."""
