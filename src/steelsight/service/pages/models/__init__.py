"""The page Models: bundles with their cards, promotion, repeated verdicts, learning."""
