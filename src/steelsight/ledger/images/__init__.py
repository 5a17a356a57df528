"""Where the images of a ledger lie: a folder addressed by content."""
