"""Recommended against chosen actions, as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from steelsight.ledger.chain.entries import Action
from steelsight.quality.recommendations import RuleCount, together
from steelsight.service.pages.quality.sentences import counted_words
from steelsight.service.pages.words import Words

__all__ = ["action_rows"]


def action_rows(words: Words, counts: Sequence[RuleCount]) -> dict[str, Any]:
    """What the template needs: the actions that may be chosen, and a row for each rule.

    The first rows are of all rules together, one for each recommended action.
    """
    known = [each.value for each in Action]
    others = sorted({name for each in counts for name, _ in each.chosen} - set(known))  # of a later version
    columns = [*known, *others]
    rows = [*together(counts), *counts] if counts else []
    return {"columns": columns, "known": known, "rows": [_row(words, each, columns) for each in rows]}


def _row(words: Words, each: RuleCount, columns: Sequence[str]) -> dict[str, Any]:
    chosen = dict(each.chosen)
    return {
        "rule": each.rule,
        "action": each.action,
        "cells": [
            {"count": chosen.get(name, 0), "same": name == each.action, "some": name in chosen}
            for name in columns
        ],
        "not_chosen": each.not_chosen,
        "differing": counted_words(words, (each.differing, each.asked), each.bounds),
    }
