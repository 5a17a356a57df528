"""Verbs that export, check and run bundles."""
