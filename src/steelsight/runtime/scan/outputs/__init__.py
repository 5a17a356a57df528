"""Where a scan writes: a folder, or a prefix of a bucket."""
