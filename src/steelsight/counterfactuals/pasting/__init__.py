"""Nuisances pasted onto sheets or removed from them."""
