"""Figures and documents: render what is given, compute nothing. matplotlib and jinja2; never torch."""
