"""Figures and documents. They render given values and compute nothing; matplotlib and jinja2, never torch."""
