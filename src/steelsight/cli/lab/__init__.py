"""Verbs that train models and measure them."""
