"""Confidence intervals, paired comparisons and two-group tests."""
