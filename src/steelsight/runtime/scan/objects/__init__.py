"""Objects of an S3 store, listed page by page and read whole or by ranges. Nothing is copied to disk."""
