"""Verbs that describe or generate data."""
