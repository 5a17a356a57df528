"""The pages of administrators: users, tokens, stations, retention; and the audit log."""
