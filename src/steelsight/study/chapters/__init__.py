"""Chapters of the study's report."""
