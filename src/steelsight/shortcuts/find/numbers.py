"""The result of a search as plain values for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from steelsight.counterfactuals.pasting.paste_check import LEAST_SHIFT, PasteCheck
from steelsight.plain import plain
from steelsight.shortcuts.find.clusters import Cluster
from steelsight.shortcuts.find.mistakes import MistakeGroup
from steelsight.shortcuts.find.ranking import LEAST_EFFECT, Q_LEVEL, Association, Candidate, ModelEvidence
from steelsight.shortcuts.find.representatives import class_means, representative_sheets
from steelsight.shortcuts.find.run import SearchResult

__all__ = ["find_json"]


def find_json(result: SearchResult) -> dict[str, Any]:
    """Collect the ranking, the clusters, the mistakes and the rules applied, without pictures."""
    sheets = result.evidence.sheets
    names = sheets.class_names
    numbers: dict[str, Any] = plain(
        {
            "sheets": len(sheets),
            "class_names": list(names),
            "rules": {"q": Q_LEVEL, "least_effect": LEAST_EFFECT, "least_shift": LEAST_SHIFT},
            "findings": [each.property.key for each in result.findings],
            "candidates": [
                _candidate(each, rank, result.evidence) for rank, each in enumerate(result.candidates, 1)
            ],
            "clusters": [_cluster(each, sheets.ids, names) for each in result.clusters],
            "mistakes": [_mistake(each, sheets.ids, names) for each in result.mistakes],
            "notes": list(result.notes),
        }
    )
    return numbers


def _candidate(each: Candidate, rank: int, evidence: ModelEvidence) -> dict[str, Any]:
    names, target = evidence.sheets.class_names, each.association.target
    return {
        "rank": rank,
        "key": each.property.key,
        "title": each.property.title,
        "status": each.status,
        "speaks_for": names[target],
        "direction": "more" if each.more else "less",
        "follows": each.follows or None,
        **_association(each.association, names),
        "by_class": [_association(association, names) for association in each.by_class],
        "paste": None if each.check is None else _check(each.check, evidence.sheets.ids),
        "class_means": class_means(evidence, each),
        "telling": {
            evidence.sheets.ids[row]: evidence.margins[row, target]
            for row in representative_sheets(evidence, each)
        },
    }


def _association(association: Association, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "class": names[association.target],
        "effect": association.effect,
        "p": association.p_value,
        "q": association.q_value,
        "class_delta": association.with_class.delta,
        "class_p": association.with_class.p_value,
        "class_q": association.class_q,
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
