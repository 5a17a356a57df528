"""Everything a search found, as plain values for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from steelsight.plain import plain
from steelsight.shortcuts.find.clusters import Cluster
from steelsight.shortcuts.find.mistakes import MistakeGroup
from steelsight.shortcuts.find.ranking import LEAST_EFFECT, Q_LEVEL, Association, Candidate, ModelEvidence
from steelsight.shortcuts.find.representatives import class_means, representative_sheets
from steelsight.shortcuts.find.run import SearchResult
from steelsight.shortcuts.pasting.paste_check import LEAST_SHIFT, PasteCheck

__all__ = ["find_json"]


def find_json(found: SearchResult) -> dict[str, Any]:
    """The ranking, the clusters, the mistakes, and the rules they were judged by."""
    sheets = found.evidence.sheets
    names = sheets.class_names
    answer: dict[str, Any] = plain(
        {
            "sheets": len(sheets),
            "class_names": list(names),
            "rules": {"q": Q_LEVEL, "least_effect": LEAST_EFFECT, "least_shift": LEAST_SHIFT},
            "findings": [each.candidate.key for each in found.findings],
            "candidates": [
                _suspect(each, rank, found.evidence) for rank, each in enumerate(found.suspects, 1)
            ],
            "clusters": [_cluster(each, sheets.ids, names) for each in found.clusters],
            "mistakes": [_mistake(each, sheets.ids, names) for each in found.mistakes],
            "notes": list(found.notes),
        }
    )
    return answer


def _suspect(each: Candidate, rank: int, evidence: ModelEvidence) -> dict[str, Any]:
    names, target = evidence.sheets.class_names, each.pull.target
    return {
        "rank": rank,
        "key": each.candidate.key,
        "title": each.candidate.title,
        "status": each.status,
        "speaks_for": names[target],
        "direction": "more" if each.more else "less",
        "follows": each.follows or None,
        **_pull(each.pull, names),
        "by_class": [_pull(pull, names) for pull in each.pulls],
        "paste": None if each.check is None else _check(each.check, evidence.sheets.ids),
        "class_means": class_means(evidence, each),
        "telling": {
            evidence.sheets.ids[row]: evidence.margins[row, target]
            for row in representative_sheets(evidence, each)
        },
    }


def _pull(pull: Association, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "class": names[pull.target],
        "effect": pull.effect,
        "p": pull.p_value,
        "q": pull.q_value,
        "class_delta": pull.with_class.delta,
        "class_p": pull.with_class.p_value,
        "class_q": pull.class_q,
    }


def _check(check: PasteCheck, ids: tuple[str, ...]) -> dict[str, Any]:
    return {
        "sheets": check.sheets,
        "gap_logits": check.gap,
        "shift": check.shift,
        "flips": check.flips,
        "control_flips": check.control_flips,
        "moves": check.moves,
        "examples": {
            ids[each.row]: dict(zip(("before", "changed", "control"), each.margins, strict=True))
            for each in check.examples
        },
    }


def _cluster(each: Cluster, ids: tuple[str, ...], names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "verdict": names[each.verdict],
        "sheets": int(each.rows.size),
        "right": each.right,
        "purity": each.purity,
        "truths": {names[c]: count for c, count in each.truths},
        "typical": [ids[row] for row in each.typical],
        "traits": [asdict(trait) for trait in each.traits[:5]],
    }


def _mistake(each: MistakeGroup, ids: tuple[str, ...], names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "truth": names[each.truth],
        "verdict": names[each.verdict],
        "sheets": [ids[row] for row in each.rows.tolist()],
        "among": each.among,
        "traits": [
            {
                "key": trait.property.key,
                "delta": trait.delta,
                "q": trait.q_value,
                "mistakes": trait.wrong,
                "right": trait.right,
            }
            for trait in each.traits
        ],
        "reasons": [asdict(reason) for reason in each.reasons],
    }
