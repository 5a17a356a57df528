"""Reviews of a ledger as labelled sheets for the lab and as lists of nuisances; no torch."""
