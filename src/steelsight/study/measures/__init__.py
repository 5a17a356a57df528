"""Measurements that only the study makes."""
