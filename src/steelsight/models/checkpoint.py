"""A model on disk: weights as safetensors with a JSON card. Pickle is never read.

The card is written twice: as `card.json`, for people, and inside the header of `model.safetensors`. A save
becomes valid by renaming that one file, so weights and card stay consistent whenever a process dies:

    1. model.safetensors.new and card.json.new are written and forced to disk   until here the old pair stands
    2. model.safetensors.new → model.safetensors                                from here card.json.new counts
    3. card.json.new → card.json                                                done
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from steelsight.errors import BadCheckpoint
from steelsight.files import sync_folder, write_synced
from steelsight.models.card import CARD_FORMAT, Card
from steelsight.models.catalog import SheetClassifier, assemble, structure
from steelsight.models.starts import StartWeights
from steelsight.reading import parse_json, read_regular
from steelsight.types import InputSpec

__all__ = [
    "CARD_FILE",
    "WEIGHTS_FILE",
    "Card",
    "hash_weights",
    "load_checkpoint",
    "refuse_bundle",
    "save_checkpoint",
    "start_weights",
]

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "card.json"
BUNDLE_GRAPHS = "model*.onnx"  # of a BUNDLE folder; a run has none
MOST_WEIGHT_BYTES = 2**33  # read whole into memory; VGG16, the largest network, has 0.5 GB
CARD_KEY = "steelsight_card"  # in the safetensors header
PICKLE_SUFFIXES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib")


def save_checkpoint(folder: Path, model: SheetClassifier, card: Card) -> Card:
    """Write a model and its card; the earlier checkpoint stays valid until both are on disk.

    folder  made if need be; one process at a time writes to it
    returns the card as written, with the checksum of the weights
    raises  BadCheckpoint where the card does not describe the model, or the disk refuses (full, read-only)
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    _check_state(folder, state, card)
    card = card.model_copy(update={"weights_sha256": hash_weights(state)})
    text = card.model_dump_json(indent=2) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _finish_interrupted(folder)
        _commit(folder, save(state, metadata={CARD_KEY: text}), text.encode())
    except OSError as error:
        raise BadCheckpoint(
            f"{folder}: the checkpoint could not be written ({error.strerror or error}); "
            "the one saved before is unharmed; free space or choose another folder"
        ) from error
    return card


def load_checkpoint(folder: Path, *, decoder: str = InputSpec().decoder) -> tuple[SheetClassifier, Card]:
    """Read a model and its card, checking each against the other and both against this version.

    decoder  identity of the image decoder in use; a model trained on other pixels is refused
    returns  the model in evaluation mode on the CPU, channels-last
    raises   BadCheckpoint, naming the file and what is wrong with it
    """
    state, card = _read_pair(folder)
    if card.input.at_bits(None).decoder != decoder:
        raise BadCheckpoint(
            f"{folder / CARD_FILE}: trained on images decoded by {card.input.decoder}, got decoder {decoder} "
            f"in this version, so its figures would not hold; "
            f"use steelsight {card.steelsight_version} or train again"
        )
    _check_state(folder, state, card)
    if hash_weights(state) != card.weights_sha256:
        raise BadCheckpoint(
            f"{folder / WEIGHTS_FILE}: the weights do not have the checksum their card names; "
            "the file was altered or damaged, restore it or train again"
        )
    model = assemble(card.model)
    model.load_state_dict(state)
    return model.eval(), card


def start_weights(model: SheetClassifier, card: Card) -> StartWeights:
    """The weights of a checkpoint as another training starts from them: those of features and head."""
    state = {name: each for name, each in model.state_dict().items() if not name.startswith("places.")}
    return StartWeights(card.model.name, card.head_facts, state)


def hash_weights(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of all tensors: names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _commit(folder: Path, weights: bytes, card: bytes) -> None:
    """Write both files beside the old ones, then rename: first the weights, which hold the card too."""
    new_weights, new_card = _new(folder / WEIGHTS_FILE), _new(folder / CARD_FILE)
    try:
        write_synced(new_weights, weights)
        write_synced(new_card, card)
        new_weights.replace(folder / WEIGHTS_FILE)
    except BaseException:  # an interrupt too must not leave half a file behind
        new_weights.unlink(missing_ok=True)
        new_card.unlink(missing_ok=True)
        raise
    new_card.replace(folder / CARD_FILE)
    sync_folder(folder)


def _new(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _finish_interrupted(folder: Path) -> None:
    """Rename the card of a save that died between its two renames, before the next save overwrites it."""
    pending = _new(folder / CARD_FILE)
    if not pending.is_file() or not (folder / WEIGHTS_FILE).is_file():
        return
    try:
        header = _header((folder / WEIGHTS_FILE).read_bytes())
    except ValueError:  # unreadable weights are about to be replaced
        return
    if header.get("__metadata__", {}).get(CARD_KEY) == pending.read_text(encoding="utf-8"):
        pending.replace(folder / CARD_FILE)


def _read_pair(folder: Path) -> tuple[dict[str, Tensor], Card]:
    weights, readable = folder / WEIGHTS_FILE, folder / CARD_FILE
    _refuse_other_formats(folder)
    try:
        data = read_regular(weights, most_bytes=MOST_WEIGHT_BYTES)
        texts = [read_regular(path) for path in (readable, _new(readable)) if path.is_file()]
    except OSError as error:
        raise BadCheckpoint(f"{folder}: cannot be read ({error.strerror or error})") from error
    if not texts:
        raise BadCheckpoint(f"{readable}: expected the card of {WEIGHTS_FILE}, found none; restore it")
    state, inner = _parse_weights(weights, data)
    if inner.encode() not in texts:
        _parse_card(readable, texts[0])  # a card wrong in itself is the better message
        raise BadCheckpoint(
            f"{readable}: it is not the card {WEIGHTS_FILE} was saved with; "
            "it was edited, or the files come from different runs; restore both from one run"
        )
    return state, _parse_card(readable, inner.encode())


def _refuse_other_formats(folder: Path) -> None:
    advice = "pickles run code when opened and are never loaded; train again, or save with save_checkpoint"
    if folder.is_file() or folder.suffix in PICKLE_SUFFIXES:
        wanted = f"expected a RUN folder with {WEIGHTS_FILE} and {CARD_FILE}"
        pickled = folder.suffix in PICKLE_SUFFIXES
        raise BadCheckpoint(f"{folder}: {wanted}, got a file" + (f"; {advice}" if pickled else ""))
    if not folder.is_dir():
        raise BadCheckpoint(f"{folder}: expected a RUN folder, found none; check the path")
    if not (folder / WEIGHTS_FILE).is_file():
        refuse_bundle(folder)
        pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLE_SUFFIXES)
        found = f"found {', '.join(pickles)}; {advice}" if pickles else "found none; train first"
        raise BadCheckpoint(f"{folder}: expected {WEIGHTS_FILE}, {found}")


def refuse_bundle(folder: Path) -> None:
    """Raise BadCheckpoint where a folder is a BUNDLE, which cannot stand for the RUN it was exported from."""
    if any(folder.glob(BUNDLE_GRAPHS)):
        raise BadCheckpoint(
            f"{folder}: expected a RUN folder, got a BUNDLE folder; name the RUN that it was exported from"
        )


def _parse_weights(path: Path, data: bytes) -> tuple[dict[str, Tensor], str]:
    if data[8:9] != b"{" and data.startswith((b"PK\x03\x04", b"\x80")):  # torch's zip, or a bare pickle
        raise BadCheckpoint(
            f"{path}: expected safetensors, got a pickle under that name; "
            "pickles run code when opened and are never loaded; train again"
        )
    try:
        state = load(data)
        inner = _header(data)["__metadata__"][CARD_KEY]
    except SafetensorError as error:
        raise BadCheckpoint(
            f"{path}: expected safetensors, got {error}; restore it or train again"
        ) from error
    except KeyError as error:
        raise BadCheckpoint(
            f"{path}: expected a card in the header, found none; the file is not a steelsight checkpoint"
        ) from error
    return state, inner


def _header(data: bytes) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    header: dict[str, Any] = parse_json(data[8 : 8 + length])
    return header


def _parse_card(path: Path, text: bytes) -> Card:
    try:
        raw = parse_json(text)
    except ValueError as error:
        raise BadCheckpoint(f"{path}: expected JSON, got {error}; restore it") from error
    if not isinstance(raw, dict) or raw.get("format") != CARD_FORMAT:
        came = raw.get("format") if isinstance(raw, dict) else type(raw).__name__
        raise BadCheckpoint(
            f"{path}: expected card format {CARD_FORMAT}, got {came}; "
            "use the steelsight version that wrote it"
        )
    try:
        return Card.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise BadCheckpoint(f"{path}: {where}: {first['msg']}; restore it or train again") from error


def _check_state(folder: Path, state: Mapping[str, Tensor], card: Card) -> None:
    """Refuse weights that are not exactly those of the card's model, or not numbers."""
    wanted = structure(card.model).state_dict()
    path = folder / WEIGHTS_FILE
    if state.keys() != wanted.keys():
        missing, extra = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
        raise BadCheckpoint(
            f"{path}: not the weights of model {card.model.name} with head {card.model.head}: "
            f"missing {missing[:3]}, unexpected {extra[:3]}; restore it or train again"
        )
    for name, own in wanted.items():
        came = state[name]
        if came.shape != own.shape or came.dtype != own.dtype:
            raise BadCheckpoint(
                f"{path}: {name}: expected {own.dtype} of shape {tuple(own.shape)}, "
                f"got {came.dtype} of shape {tuple(came.shape)}; restore it or train again"
            )
        if not torch.isfinite(came).all():
            raise BadCheckpoint(f"{path}: {name}: expected finite numbers, got NaN or infinity; train again")
