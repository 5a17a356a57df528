"""Metrics and statistics: pure functions on arrays. NumPy, SciPy and scikit-learn; never torch."""
