"""The release gate of a bundle: its own graph on pasted sheets, upper bounds against a policy; no torch."""
