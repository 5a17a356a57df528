"""From a DATA folder to gray model input, masks, labels and splits: NumPy and Pillow only, never torch."""
