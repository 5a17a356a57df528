"""Read a ledger: lists with filters and cursors, one sheet's history, export."""
