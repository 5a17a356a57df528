"""A head fitted to reviewed sheets, as a job in a process of its own."""
