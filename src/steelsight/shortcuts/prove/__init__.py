"""Tests whether a model uses a nuisance."""
