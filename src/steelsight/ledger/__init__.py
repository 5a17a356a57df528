"""The ledger: every verdict and every answer of a person, append-only and hash-chained.

It lies in SQLite or PostgreSQL: one sequence of entries for each writer (a station, the console). An entry
holds the hash of the entry before it, so an altered, dropped, inserted, swapped or truncated entry is found
by `verify`. Read models (tables for lists and counts) follow from the entries and can be rebuilt from them.
Texts and names of people lie outside the chain and can be erased; the chain holds salted commitments.
"""
