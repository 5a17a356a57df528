"""Scores of heatmaps: agreement with masks, faithfulness to the model."""
