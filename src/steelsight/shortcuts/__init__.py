"""Shortcuts: what a network looks at instead of the defect; found, proven, repaired, kept out."""
