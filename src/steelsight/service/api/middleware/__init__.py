"""What surrounds every request: its id, limits, headers, log line and figures."""
