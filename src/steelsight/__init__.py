"""Steelsight sees the defect in a steel sheet, says why, and says "I don't know" when it should."""

__all__ = ["__version__"]

__version__ = "0.1.0"
