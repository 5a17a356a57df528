"""Confidence and abstention: scores, calibration, thresholds, certificates, costs."""
