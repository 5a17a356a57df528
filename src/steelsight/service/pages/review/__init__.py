"""The page Review: a queue of sheets, one at a time, decided by keys."""
