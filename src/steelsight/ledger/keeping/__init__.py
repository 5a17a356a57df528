"""Keep a ledger for years: people who can be forgotten, backup and restore, export, retention of images."""
