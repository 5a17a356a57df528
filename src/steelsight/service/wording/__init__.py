"""The language of what a person reads: words of a request, and refusals in them."""
