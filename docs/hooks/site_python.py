"""The pages of Python modules: mkdocstrings shows their public names from the docstrings."""

from __future__ import annotations

from typing import Final

__all__ = ["MODULES", "python_pages"]

FOLDER: Final = "reference/python"
# Page, title, and the modules it shows.
MODULES: Final = {
    "api": (
        "Names of the Python API",
        tuple(
            f"steelsight.api.{name}"
            for name in (
                "data",
                "lab.training",
                "lab.run",
                "lab.explanation",
                "lab.estimator",
                "lab.catalog",
                "lab.stored_runs",
                "lab.study",
                "lab.synthetic",
                "plant.scanning",
                "plant.adaptation",
                "plant.bundles",
                "plant.capacity",
                "plant.line",
                "plant.serving",
                "ledger.view",
                "ledger.keeping",
                "ledger.accounts",
                "progress",
            )
        ),
    ),
    "results": (
        "Results of the Python API",
        (
            "steelsight.reports.notebook",
            *(
                f"steelsight.api.{name}"
                for name in (
                    "results.reported",
                    "results.evaluation",
                    "results.trust",
                    "results.explanations",
                    "results.inspection",
                    "results.shortcuts",
                    "results.study",
                    "results.sheets",
                    "results.catalog",
                    "results.stored_runs",
                    "results.bundles",
                    "results.opened_bundles",
                    "results.adaptation",
                    "results.capacity",
                    "results.ledger",
                    "results.coils",
                    "results.quality",
                    "ledger.exported_reviews",
                )
            ),
        ),
    ),
    "bundles": (
        "Bundles and verdicts",
        (
            "steelsight.runtime.engine.inspector",
            "steelsight.runtime.verdict",
            "steelsight.runtime.bundle.open",
        ),
    ),
    "gate": (
        "Gate and signature of a bundle",
        ("steelsight.runtime.bundle.gate", "steelsight.runtime.bundle.signature"),
    ),
    "explanations": (
        "Explanations",
        (
            "steelsight.explanations.catalog",
            "steelsight.explanations.gradcam",
            "steelsight.explanations.masks",
        ),
    ),
    "evaluation": (
        "Metrics and intervals",
        (
            "steelsight.evaluation.classification",
            "steelsight.evaluation.intervals.bootstrap",
            "steelsight.evaluation.heatmaps.localization",
            "steelsight.evaluation.heatmaps.faithfulness",
        ),
    ),
    "sheets": ("Sheets and DATA folders", ("steelsight.sheets.catalog", "steelsight.sheets.synthetic.spec")),
    "errors": ("Errors", ("steelsight.errors",)),
}
INHERITING: Final = frozenset({"steelsight.api.lab.run"})  # whose classes are shown with what they inherit
INTRODUCTION: Final = "Shapes, units and errors are stated in each docstring. Imported as written here.\n"


def python_pages() -> dict[str, str]:
    """Path and text of each page."""
    pages = {}
    for name, (title, modules) in MODULES.items():
        parts = "\n".join(map(_section, modules))
        pages[f"{FOLDER}/{name}.md"] = f"# {title}\n\n{INTRODUCTION}\n{parts}"
    return pages


def _section(module: str) -> str:
    """Heading and content of a module."""
    options = "    options:\n      inherited_members: true\n" if module in INHERITING else ""
    return f"## {module} {{#{module}-module}}\n\n::: {module}\n{options}"
