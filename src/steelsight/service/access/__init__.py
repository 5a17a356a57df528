"""Who may do what: roles, accounts, sessions, machine tokens, and the checks of every request."""
