"""Retraining against a shortcut."""
