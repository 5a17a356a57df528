"""Training: recipes, the loop, runs and cross-validation."""
