"""What the script of the map says."""

from __future__ import annotations

from steelsight.service.pages.words import Words

__all__ = ["map_words"]


def map_words(words: Words) -> dict[str, str]:
    """Words by a name of their own."""
    return {
        "decided": words("decided"),
        "doubtful": words("doubtful"),
        "unknown_input": words("unknown input"),
        "bad_image": words("bad image"),
        "head": words("head"),
        "tail": words("tail"),
        "edge": words("%(number)s mm from the edge"),
        "shown": words("%(number)s of %(all)s defects are shown."),
        "none": words("No defect is shown."),
        "failed": words("The map could not be loaded. Load the page again; the table below has all defects."),
    }
