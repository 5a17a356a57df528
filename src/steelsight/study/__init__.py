"""The study repeated on any DATA folder: chapters, claims and measurements, beside the published figures."""
