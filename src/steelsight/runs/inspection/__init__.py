"""Layers and neurons of a run."""
