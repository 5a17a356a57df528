"""A station: it takes sheets from a source, judges them, and writes them into the ledger, each once."""
