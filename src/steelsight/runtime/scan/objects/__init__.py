"""Objects of an S3 store: listed page by page, read whole or by ranges, written under a condition."""
