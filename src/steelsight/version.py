"""The version of this tree, for cards and reports."""

__all__ = ["__version__"]

__version__ = "0.2.0"
