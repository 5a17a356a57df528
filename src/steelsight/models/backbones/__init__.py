"""Networks of other libraries as features: found by name, brought to one form, with their weights."""
