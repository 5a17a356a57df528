"""Levels of the study's noise, X' = X + sigma Z, Z ~ N(0, I), in normalised units of the network's input.

The noise itself is drawn in `training.predict`; `corruptions` has the noise of a camera, on gray levels.
"""

__all__ = ["STUDY_SIGMA", "STUDY_SIGMAS"]

STUDY_SIGMA = 0.15  # the study's tables were made at this level
STUDY_SIGMAS = (0.0, 0.05, 0.1, STUDY_SIGMA, 0.2, 0.3, 0.4, 0.5)  # of the sweeps
