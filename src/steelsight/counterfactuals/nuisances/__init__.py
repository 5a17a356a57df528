"""Detection of nuisances: stains, sheet ends, listed sheets, measured properties."""
