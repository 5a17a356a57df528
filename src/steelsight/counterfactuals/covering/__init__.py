"""What a model answers where places of a sheet are covered, and the smallest set that changes its verdict."""
