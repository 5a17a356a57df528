"""Opens a RUN with a DATA folder: read as the run was trained, with its classes, groups and known sheets."""
