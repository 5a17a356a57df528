"""When to say "I don't know": what a threshold on confidence buys, and which one can be guaranteed."""
