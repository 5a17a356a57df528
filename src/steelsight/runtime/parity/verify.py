"""Measure parity on the machine that will run the bundle, on the probe sheets it carries."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from steelsight.errors import BadBundle
from steelsight.files import pack_arrays
from steelsight.runtime.bundle.arrays import read_arrays
from steelsight.runtime.bundle.card import Precision
from steelsight.runtime.bundle.open import PROBES_FILE, Bundle, open_bundle
from steelsight.runtime.engine.engine import ENGINES, EngineName, Outputs, open_engine
from steelsight.runtime.parity.compare import Parity, ParitySetup, compare, failures
from steelsight.types import GrayBatch

__all__ = ["ParityProbes", "Verified", "in_turns", "pack_probes", "read_probes", "verify_bundle"]


@dataclass(frozen=True, eq=False)
class ParityProbes:
    """Sheets of a bundle, and the source model's outputs for them."""

    images: np.ndarray  # (m, h, w) uint8
    source: Outputs


@dataclass(frozen=True)
class Verified:
    """One engine on this machine."""

    parity: Parity
    broken: tuple[str, ...]  # the bounds it breaks, in words; none = it agrees with its source


def verify_bundle(
    bundle: Path | Bundle, *, threads: int = 0, engines: Sequence[EngineName] | None = None
) -> list[Verified]:
    """Run engines on the probe sheets, at the card's precision.

    bundle   its folder, or the opened bundle
    threads  processor threads; 0 = the engine's own choice
    engines  their names; None = every one that is installed
    raises   BadBundle where the bundle carries no probes, or is refused when opened
    """
    if isinstance(bundle, Path):
        bundle = open_bundle(bundle)
    probes = read_probes(bundle)
    verified = []
    for name in installed_engines() if engines is None else engines:
        precision: Precision = bundle.card.precision
        if name == "onnxruntime" and precision == "bf16":
            precision = "f32"  # bf16 is a mode of OpenVINO
        engine = open_engine(bundle, name, threads=threads, precision=precision)
        setup = ParitySetup(bundle.card.task, bundle.card.temperature, engine.about, precision)
        parity = compare(probes.source, engine(probes.images), setup, rng=np.random.default_rng(0))
        verified.append(Verified(parity, tuple(failures(parity, fewest=1))))
    return verified


def installed_engines() -> list[EngineName]:
    """Names of the engines that are installed: OpenVINO, and ONNX Runtime where it is."""
    return [name for name in ENGINES if importlib.util.find_spec(name) is not None]


def read_probes(bundle: Bundle) -> ParityProbes:
    """The probe sheets; raises BadBundle where there are none or they do not fit the card."""
    where = str(bundle.folder / PROBES_FILE)
    if PROBES_FILE not in bundle.files:
        raise BadBundle(
            f"{where}: the bundle carries no probe sheets; "
            "export it again, with `steelsight export --probes 24`"
        )
    arrays = read_arrays(bundle.files[PROBES_FILE], where)
    card = bundle.card
    wanted: dict[str, tuple[type, tuple[int, ...]]] = {
        "images": (np.uint8, (card.input.height, card.input.width)),
        **{name: (np.float32, shape) for name, shape in card.output_shapes.items()},
    }
    images = arrays.get("images")
    count = len(images) if images is not None and images.ndim else 0
    for name, (dtype, shape) in wanted.items():
        array = arrays.get(name)
        sizes = ", ".join(map(str, ("m", *shape)))
        if array is None or array.dtype != dtype or array.shape != (count, *shape) or not count:
            came = "nothing" if array is None else f"{array.dtype} of shape {array.shape}"
            raise BadBundle(
                f"{where}: {name}: expected {dtype.__name__} of shape ({sizes}), got {came}; export it again"
            )
        if not np.isfinite(array).all():
            raise BadBundle(f"{where}: {name}: expected finite numbers; export it again")
    return ParityProbes(arrays["images"], Outputs(*(arrays[name] for name in card.output_shapes)))


def in_turns(labels: Int[np.ndarray, " n"], count: int) -> Int[np.ndarray, " m"]:
    """Positions of sheets of every class in turn, the first of each first; ascending.

    count  at most so many

    >>> in_turns(np.array([0, 0, 0, 1, 2, 2]), 4).tolist()
    [0, 1, 3, 4]
    """
    turns: list[tuple[int, int, int]] = []
    counts: dict[int, int] = {}
    for position, label in enumerate(labels.tolist()):
        turns.append((counts.setdefault(label, 0), label, position))
        counts[label] += 1
    return np.array(sorted(position for _, _, position in sorted(turns)[:count]), dtype=np.int64)


def pack_probes(images: GrayBatch, source: Outputs) -> bytes:
    """The bytes of probes.npz.

    source  outputs of the source model for the images
    """
    outputs = {name: getattr(source, name) for name in ("logits", "maps", "embedding", "places")}
    return pack_arrays(
        {"images": images} | {name: each for name, each in outputs.items() if each is not None}
    )
