"""Benchmark of explanation methods against defect masks.

The command line calls it `league`: several methods are scored on the same sheets and ranked in one table.
"""
