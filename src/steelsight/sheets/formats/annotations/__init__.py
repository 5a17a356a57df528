"""Annotations that other tools write, one file a format, all to the same SheetSet."""
