"""Shortcuts: image content that a model uses instead of the defect; search, proof, repair, release gate."""
