"""What the API takes and answers, with examples: a client can be generated from them."""
