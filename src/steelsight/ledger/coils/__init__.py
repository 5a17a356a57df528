"""Coils: where on the strip the regions of verdicts lie, and the defects they are parts of."""
