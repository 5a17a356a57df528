"""A new linear head for a bundle, fitted to labelled sheets and written into its graph; no torch."""
