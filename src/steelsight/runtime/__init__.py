"""The plant: an exported bundle, its engine, and the scan; no torch."""
