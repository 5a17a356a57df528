"""Calibration of a run and comparison of its confidence scores."""
