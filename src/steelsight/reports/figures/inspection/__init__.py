"""Figures of layers, neurons and transplants."""
