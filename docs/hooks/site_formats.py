"""The page of file formats: what a RUN, a BUNDLE and their cards hold, from the classes that read them."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from pydantic import BaseModel
from site_keys import comments_of, key_table
from site_text import NOTICE, anchor, escape

__all__ = ["FORMATS", "classes_of", "formats_page"]

INTRODUCTION: Final = """# File formats

{notice}
A RUN is what `steelsight train` writes, a BUNDLE what `export` and `adapt` write. Weights are
safetensors, graphs are ONNX, numbers are JSON, CSV and Parquet; nothing is pickled. Every file is written
under another name and renamed, so that it is complete or not there. Entries of the ledger: [The
ledger](../ledger.md). What is sent on: [Events](../events.md). Maps as numbers: [Maps](../maps.md).
Settings: [The service](../service.md#settings).

## Files of a RUN {{#run}}

| file | holds |
|---|---|
| `model.safetensors` | the weights |
| `card.json` | task, classes, network, input, origin, threshold: [keys](#card) |
| `recipe.json` | the complete [recipe](recipe.md) |
| `metrics.json` | every figure of the report, with intervals |
| `splits.csv` | part and group of each sheet |
| `predictions.parquet` | one row a sheet: part, true class, probabilities |
| `report.html`, `README.md` | the report and the model card, for people |

## Files of a BUNDLE {{#bundle}}

| file | holds |
|---|---|
| `model.onnx` | gray bytes in; logits, signed class maps and embedding out |
| `card.json` | classes, input, thresholds, certificates, hashes of the other files: [keys](#bundlecard) |
| `probes.npz` | probe sheets with the answers that `bundle verify` compares |
| `familiarity.npz` | class means and whitening of the training sheets |
| `seen.npz` | hashes of the sheets that the network has learnt from |
| `README.md` | the card for people, and for the [hub](../guides/other-programs.md#on-the-hugging-face-hub) |

"""
# Module of each format, with the title of its part of the page.
FORMATS: Final = {
    "steelsight.models.card": "Card of a RUN",
    "steelsight.models.catalog": "Network in the card of a RUN",
    "steelsight.runtime.bundle.card": "Card of a BUNDLE",
    "steelsight.runtime.bundle.gate_record": "Record of a gate in the card of a BUNDLE",
    "steelsight.adaptation.gate.policy": "Policy of `steelsight gate`",
    "steelsight.sheets.synthetic.spec": "Recipe of generated sheets",
}


def formats_page() -> str:
    """Files of a RUN and of a BUNDLE, and each class of FORMATS with its keys."""
    text = INTRODUCTION.format(notice=NOTICE)
    for name, title in FORMATS.items():
        module = _module(name)
        comments = comments_of(Path(str(module.__file__)))
        text += f"## {title} {{#{anchor(name.removeprefix('steelsight.'))}}}\n\n"
        for kind in classes_of(module):
            about = escape(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0])
            text += f"### {kind.__name__} {{#{anchor(kind.__name__)}}}\n\n{about}\n\n"
            text += f"{key_table(kind, comments)}\n"
    return text


def classes_of(module: ModuleType) -> list[Any]:
    """The public pydantic classes that a module defines, in the order of its text."""
    found = [
        each
        for name, each in vars(module).items()
        if inspect.isclass(each) and issubclass(each, BaseModel) and not name.startswith("_")
    ]
    own = [each for each in found if each.__module__ == module.__name__]
    return sorted(own, key=lambda kind: inspect.getsourcelines(kind)[1])


def _module(name: str) -> ModuleType:
    from importlib import import_module

    return import_module(name)
