"""Figures of heatmaps and of the explanation benchmark."""
