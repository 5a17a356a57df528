"""Verbs of the ledger and the service."""
