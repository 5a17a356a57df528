"""Sheets with a nuisance pasted or removed, and the proof that a model reacts to it; no torch."""
