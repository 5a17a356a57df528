"""Dataset layouts and the tables beside them."""
