"""Prove that a ledger is unchanged: verification of chains and read models, and anchors kept elsewhere."""
