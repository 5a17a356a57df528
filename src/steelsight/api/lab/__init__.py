"""Calls of the lab: train, evaluate, explain, find shortcuts, repeat the study; most import torch."""
