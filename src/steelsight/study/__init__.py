"""The study, chapter by chapter, on any DATA folder: ours beside its published figures, in one report."""
