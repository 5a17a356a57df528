"""Explanations: heatmaps of the evidence for a class, one file or sub-room for each family of methods."""
