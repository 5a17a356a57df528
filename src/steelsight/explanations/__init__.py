"""Explanations: heatmaps that say where a network saw its reason, one file per family of methods."""
