"""Metrics, model card and pages of a finished training."""
