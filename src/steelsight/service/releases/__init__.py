"""Which bundle judges by default: candidates, promotion through the gate, rollback, repeated verdicts."""
