"""Append entries: leases, chains, and the read models that follow from the entries."""
