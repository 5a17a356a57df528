"""Curves over a threshold or a number of labels: ROC, precision-recall, operating points."""
