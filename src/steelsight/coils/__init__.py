"""Coils as a whole: repeat distances, tables of defects, and the comparison of two coils; no torch."""
