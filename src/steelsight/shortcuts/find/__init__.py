"""Search for shortcut candidates."""
