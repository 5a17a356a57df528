"""The commonest passwords of twelve characters and more, by how they are made."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_common"]

LONG_WALK: Final = 8  # keys of a walk that digits and marks around it do not make better
DIFFERENT: Final = 5  # characters that a password has at least

# What the commonest passwords are made of: these words, with digits and marks around and between them.
WORDS: Final = frozenset(
    re.findall(
        r"\S+",
        """
        password passwort pass kennwort secret geheim welcome
        willkommen hello hallo admin administrator root user login letmein changeme default test
        testing guest master dragon monkey football baseball superman batman princess sunshine
        iloveyou trustno abc abcdef qwerty qwertz azerty qwertyuiop qwertzuiop asdf asdfgh
        asdfghjkl zxcvbn zxcvbnm yxcvbnm computer internet server summer winter spring autumn
        sommer herbst frühling steel stahl steelsight inspection inspektion operator engineer
        auditor viewer
        """,
    )
)
LOOKALIKES: Final = str.maketrans("@4301!5$7", "aaeoiisst")  # digits and marks that stand for letters
# Walks over a keyboard, and the alphabet.
ROWS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "qazwsxedcrfvtgbyhnujmikolp",
    "123qweasdzxcrtyfghvbn",
)


def is_common(folded: str) -> bool:
    """Whether a password, case folded, is of the commonest kinds.

    They are: few different characters, a short repetition, a walk over the keyboard, and up to two common
    words with digits and marks around them.

    >>> [is_common(each) for each in ("password2026!", "1qaz2wsx3edc", "four words are better")]
    [True, True, False]
    """
    if len(set(folded)) < DIFFERENT or re.fullmatch(r"(.{1,6})\1+.{0,5}", folded):
        return True
    core = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", folded)
    begun = re.sub(r"[\W\d_]+$", "", folded)  # a mark at the beginning may stand for a letter
    for text in (core, core.translate(LOOKALIKES), begun.translate(LOOKALIKES)):
        parts = [each for each in re.split(r"[\W\d_]+", text) if each]
        if len(parts) <= 2 and all(part in WORDS for part in parts):
            return True
    walks = [walk for row in ROWS for walk in (row, row[::-1])]
    return any(folded in walk + walk or (len(core) >= LONG_WALK and core in walk) for walk in walks)
