"""Which action a policy file recommends for a sheet, and why."""
