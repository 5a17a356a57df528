"""Bundle folders: card, graph checks, opening."""
