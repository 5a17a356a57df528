"""Weight transplants between runs."""
