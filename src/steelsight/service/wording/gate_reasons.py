"""Why a bundle may not be promoted, for people: in English as the check says it, else by its code."""

from __future__ import annotations

from collections.abc import Mapping

from steelsight.service.wording.page_words import PageWords

__all__ = ["gate_reason_text"]


def gate_reason_text(words: PageWords, code: str, text: str, values: Mapping[str, str]) -> tuple[str, str]:
    """A reason of runtime.bundle.gate as a sentence, and the language that it is in.

    returns (text, language); English for a code without a translation
    """
    if words.language == "en":
        return text, "en"
    found = {
        "no_gate": words(
            "No gate by the policy %(policy)s, as it is now, is on record.", policy=values.get("policy", "")
        ),
        "not_passed": words("The gate of %(made)s was not passed.", made=values.get("made", "")),
        "table_unreadable": words(
            "The table %(table)s of the policy cannot be read.", table=values.get("table", "")
        ),
        "table_changed": words(
            "The table %(table)s of the policy was changed since the gate. Run the gate again.",
            table=values.get("table", ""),
        ),
    }.get(code)
    return (text, "en") if found is None else (found, words.language)
