"""Figures of heatmaps and of the league of explanation methods."""
