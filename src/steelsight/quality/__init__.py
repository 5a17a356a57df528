"""Estimates of escape and overkill from audit draws, and of the people who review them; no torch."""
