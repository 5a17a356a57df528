"""Calls about a ledger: what it holds, its accounts, its keeping. No torch."""
