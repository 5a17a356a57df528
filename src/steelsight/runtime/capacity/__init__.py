"""How many machines, how much storage and what throughput: arithmetic on measured speeds."""
