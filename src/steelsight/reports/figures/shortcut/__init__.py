"""Figures of shortcut tests."""
