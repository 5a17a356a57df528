"""How good a verdict is: pure functions on labels and probabilities. NumPy and SciPy; never torch."""
