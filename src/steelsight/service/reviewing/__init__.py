"""Reviews: which sheet a person gets, who has seen which verdict, and what is written of an answer."""
