"""Verbs that explain a model: images, methods, layers, neurons."""
