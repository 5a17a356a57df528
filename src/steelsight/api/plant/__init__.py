"""Calls of the plant: bundles, scans, stations, services. No torch."""
