"""The tables of a ledger in SQLite or PostgreSQL, and how they are opened and migrated."""
