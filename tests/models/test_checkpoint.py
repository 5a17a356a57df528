"""Checkpoints: what is saved comes back, nothing else is read, and no accident loses the one before."""

import errno
import json
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor

from steelsight.errors import BadCheckpoint
from steelsight.models import checkpoint
from steelsight.models.card import Card
from steelsight.models.catalog import MODELS, ModelSpec, SheetClassifier, build_model
from steelsight.models.checkpoint import hash_weights, load_checkpoint, save_checkpoint
from steelsight.sheets.images.pixels import DECODER
from steelsight.types import InputSpec

WEIGHTS, CARD = "model.safetensors", "card.json"


def card_of(spec: ModelSpec, **changes: object) -> Card:
    facts: dict[str, object] = {
        "task": "multiclass",
        "class_names": tuple(f"type {i}" for i in range(spec.outputs)),
        "model": spec,
        "input": InputSpec(height=spec.height, width=spec.width),
        "recipe": {"learning_rate": 1e-4, "augment": {"flip": True}},
        "data_hash": "0123",
        "data_name": "tiles",
        "seed": 7,
    }
    return Card(**(facts | changes))


def make(
    seed: int = 0, name: str = "squeezenet_reduced", head: str = "direct"
) -> tuple[SheetClassifier, Card]:
    spec = ModelSpec(name=name, head=head, outputs=3, height=64, width=96)
    return build_model(spec, generator=torch.Generator().manual_seed(seed)), card_of(spec)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    save_checkpoint(folder, *make())
    return folder


def state_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def refusal(folder: Path) -> str:
    with pytest.raises(BadCheckpoint, match=re.escape(str(folder))) as caught:
        load_checkpoint(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_round_trip_with_pooled_features(tmp_path: Path) -> None:
    spec = ModelSpec(name="adhoc", head="direct", pooling="average+max", outputs=3, height=64, width=96)
    model = build_model(spec)
    save_checkpoint(tmp_path / "run", model, card_of(spec))
    loaded, card = load_checkpoint(tmp_path / "run")
    assert card.model.pooling == "average+max"
    images = torch.zeros(1, 3, 64, 96)
    assert torch.equal(loaded(images), model.eval()(images))


@pytest.mark.parametrize("head", ["study", "direct"])
@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_round_trip_is_exact(name: str, head: str, tmp_path: Path) -> None:
    model, card = make(3, name, head)
    written = save_checkpoint(tmp_path / "run", model, card)
    loaded, read = load_checkpoint(tmp_path / "run")
    assert read == written
    assert read.model_copy(update={"weights_sha256": ""}) == card
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded(images), model.eval()(images))
    assert not loaded.training
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [CARD, WEIGHTS]


def test_card_is_readable_json_with_everything_in_it(run: Path) -> None:
    card = json.loads((run / CARD).read_text())
    assert card["format"] == 1
    assert card["class_names"] == ["type 0", "type 1", "type 2"]
    assert card["input"] == {"height": 64, "width": 96, "fit": "stretch", "decoder": DECODER}
    assert card["model"]["head"] == "direct"
    assert card["mask_supervised"] is False
    assert len(card["weights_sha256"]) == 64


def test_loading_needs_no_imagenet_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fine-tuned model brings its own weights; what they once started from is history."""
    model, card = make()
    spec = card.model.model_copy(update={"pretrained": "imagenet"})
    save_checkpoint(tmp_path, model, card.model_copy(update={"model": spec}))
    monkeypatch.setenv("STEELSIGHT_WEIGHTS", "absent")
    assert load_checkpoint(tmp_path)[1].model.pretrained == "imagenet"


def test_saving_leaves_the_model_as_it_is(tmp_path: Path) -> None:
    model, card = make()
    model.train()
    save_checkpoint(tmp_path, model, card)
    assert model.training
    assert model.features[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_hash_depends_on_names_types_shapes_and_bytes() -> None:
    state = {"a": torch.zeros(2, 3), "b": torch.ones(1)}
    changes: list[dict[str, Tensor]] = [
        {"c": torch.zeros(2, 3), "b": torch.ones(1)},
        {"a": torch.zeros(2, 3, dtype=torch.float64), "b": torch.ones(1)},
        {"a": torch.zeros(3, 2), "b": torch.ones(1)},
        {"a": torch.full((2, 3), -0.0), "b": torch.ones(1)},
    ]
    assert len({hash_weights(each) for each in [state, *changes]}) == 5
    assert hash_weights(dict(reversed(state.items()))) == hash_weights(state)


# What dies half-way


@pytest.mark.parametrize("failing", [WEIGHTS, CARD])
def test_full_disk_leaves_the_old_checkpoint(
    failing: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state_of(run)
    write = checkpoint.write_synced

    def fill_up(path: Path, data: bytes) -> None:
        if path.name.startswith(failing):
            path.write_bytes(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, data)

    monkeypatch.setattr(checkpoint, "write_synced", fill_up)
    expected = r"could not be written \(No space left on device\).*saved before is unharmed; free space"
    with pytest.raises(BadCheckpoint, match=expected):
        save_checkpoint(run, *make(1))
    assert state_of(run) == before, "old files unchanged, no half-written file left"
    load_checkpoint(run)


class Killed(BaseException):
    """The process is gone: nothing after it runs."""


@pytest.mark.parametrize("survived", range(6))
def test_killed_at_any_step_leaves_one_whole_checkpoint(
    survived: int, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps: two writes, two renames, the folder's sync; a kill after each leaves the old pair or the new."""
    (old, _), (new, card) = make(0), make(1)
    steps = iter(range(100))

    def step_or_die() -> None:
        if next(steps) >= survived:
            monkeypatch.setattr(Path, "unlink", lambda *args, **kwargs: None)  # the dead clean nothing up
            raise Killed("killed")

    def dying(function):
        def wrapped(*args):
            step_or_die()
            return function(*args)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_synced", dying(checkpoint.write_synced))
        patch.setattr(checkpoint, "sync_folder", dying(checkpoint.sync_folder))
        patch.setattr(Path, "replace", dying(Path.replace))
        if survived < 5:
            with pytest.raises(Killed, match="killed"):
                save_checkpoint(run, new, card)
        else:
            save_checkpoint(run, new, card)
    monkeypatch.undo()
    expected = new if survived >= 3 else old
    loaded, read = load_checkpoint(run)
    assert hash_weights(loaded.state_dict()) == hash_weights(expected.state_dict()) == read.weights_sha256
    third, card = make(2)  # and the next save finds its way, even when it is interrupted in turn
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_synced", lambda *args: (_ for _ in ()).throw(Killed("killed")))
        with pytest.raises(Killed, match="killed"):
            save_checkpoint(run, third, card)
    assert hash_weights(load_checkpoint(run)[0].state_dict()) == hash_weights(expected.state_dict())
    save_checkpoint(run, third, card)
    assert hash_weights(load_checkpoint(run)[0].state_dict()) == hash_weights(third.state_dict())
    assert sorted(path.name for path in run.iterdir()) == [CARD, WEIGHTS]


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadCheckpoint, match="could not be written"):
        save_checkpoint(tmp_path / "file" / "run", *make())


# What is refused on the way in


def test_folder_without_a_checkpoint(tmp_path: Path, run: Path) -> None:
    assert "expected a RUN folder, found none; check the path" in refusal(tmp_path / "absent")
    assert "expected model.safetensors, found none; train first" in refusal(tmp_path)
    assert "got a file" in refusal(run / WEIGHTS)
    (run / CARD).unlink()
    assert "expected the card of model.safetensors, found none" in refusal(run)


@pytest.mark.parametrize("name", ["model.pt", "best.pth", "net.pkl", "last.ckpt"])
def test_pickles_are_named_and_never_opened(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    assert f"found {name}; pickles run code when opened and are never loaded" in refusal(tmp_path)
    assert "pickles run code" in refusal(tmp_path / name)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('a pickle was opened')",)


def test_pickle_under_the_right_name(run: Path) -> None:
    (run / WEIGHTS).write_bytes(pickle.dumps(Bomb()))
    assert "expected safetensors, got a pickle under that name" in refusal(run)
    torch.save({"weights": torch.zeros(1)}, run / WEIGHTS)
    assert "expected safetensors, got a pickle under that name" in refusal(run)


def test_damaged_weights(run: Path, rng: np.random.Generator) -> None:
    whole = (run / WEIGHTS).read_bytes()
    flipped = bytearray(whole)
    flipped[-1000] ^= 1
    (run / WEIGHTS).write_bytes(bytes(flipped))
    assert "do not have the checksum their card names" in refusal(run)
    for damaged in (b"", whole[:100], whole[:-8], whole + b"more", rng.bytes(5000)):
        (run / WEIGHTS).write_bytes(damaged)
        assert "expected safetensors" in refusal(run)


def test_safetensors_of_another_program(run: Path) -> None:
    save_file(load_file(run / WEIGHTS), run / WEIGHTS)
    assert "expected a card in the header, found none" in refusal(run)


def test_files_of_different_runs(run: Path, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "other", *make(1))
    (run / CARD).write_bytes((tmp_path / "other" / CARD).read_bytes())
    assert "not the card model.safetensors was saved with" in refusal(run)


def edited(run: Path, **changes: object) -> None:
    """Change the card in both places and keep the weights, as someone determined would."""
    card = json.loads((run / CARD).read_text()) | changes
    text = json.dumps({key: value for key, value in card.items() if value is not ...})
    save_file(load_file(run / WEIGHTS), run / WEIGHTS, metadata={checkpoint.CARD_KEY: text})
    (run / CARD).write_text(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "expected card format 1, got 2; use the steelsight version that wrote it"),
        ({"format": ...}, "expected card format 1, got None"),
        ({"class_names": ["a", "b"]}, "expected 3, one an output of the model, got 2"),
        ({"class_names": ["a", "a", "b"]}, "expected distinct names"),
        ({"task": "regression"}, "task: Input should be 'binary', 'multiclass' or 'multilabel'"),
        ({"task": "binary"}, "task binary: expected 2 outputs, got 3"),
        ({"seed": ...}, "seed: Field required"),
        ({"colour": "gray"}, "colour: Extra inputs are not permitted"),
        ({"threshold": 1.5}, "threshold: Input should be less than or equal to 1"),
        ({"temperature": 0}, "temperature: Input should be greater than 0"),
        ({"weights_sha256": "0" * 64}, "do not have the checksum"),
        ({"input": {"height": 64, "width": 96, "fit": "stretch"}}, "input: "),
        (
            {"input": {"height": 64, "width": 128, "fit": "stretch", "decoder": DECODER}},
            "input 64x128: expected the model's own size 64x96",
        ),
        (
            {"input": {"height": 64, "width": 96, "fit": "stretch", "decoder": "other/3"}},
            f"decoded by other/3, got decoder {DECODER}",
        ),
    ],
)
def test_cards_that_do_not_match_are_refused(changes: dict[str, object], message: str, run: Path) -> None:
    edited(run, **changes)
    assert message in refusal(run)


@pytest.mark.parametrize(
    ("text", "message"), [("", "expected JSON"), ("[]", "got list"), ("{", "expected JSON")]
)
def test_files_that_are_no_card_are_refused(text: str, message: str, run: Path) -> None:
    (run / CARD).write_text(text)
    assert message in refusal(run)


def rewritten(run: Path, state: dict[str, Tensor]) -> None:
    """Other weights with a checksum that fits them: only names, shapes and values can give them away."""
    card = json.loads((run / CARD).read_text()) | {"weights_sha256": hash_weights(state)}
    text = json.dumps(card)
    save_file(state, run / WEIGHTS, metadata={checkpoint.CARD_KEY: text})
    (run / CARD).write_text(text)


def test_weights_of_another_model(run: Path) -> None:
    state = load_file(run / WEIGHTS)
    rewritten(run, {name: tensor for name, tensor in state.items() if name != "head.conv.bias"})
    assert "missing ['head.conv.bias'], unexpected []" in refusal(run)
    rewritten(run, state | {"extra": torch.zeros(1)})
    assert "missing [], unexpected ['extra']" in refusal(run)
    rewritten(run, state | {"head.conv.bias": torch.zeros(4)})
    assert "head.conv.bias: expected torch.float32 of shape (3,), got torch.float32 of shape (4,)" in refusal(
        run
    )
    rewritten(run, state | {"head.conv.bias": torch.zeros(3, dtype=torch.float64)})
    assert "got torch.float64" in refusal(run)
    rewritten(run, state | {"head.conv.bias": torch.tensor([0, float("nan"), 0])})
    assert "head.conv.bias: expected finite numbers" in refusal(run)


def test_a_model_that_its_card_does_not_describe_is_not_written(tmp_path: Path) -> None:
    model, _ = make()
    _, card = make(head="study")
    with pytest.raises(BadCheckpoint, match="not the weights of model squeezenet_reduced with head study"):
        save_checkpoint(tmp_path / "run", model, card)
    with torch.no_grad():
        model.features[0].bias[0] = float("inf")
    with pytest.raises(BadCheckpoint, match="expected finite numbers"):
        save_checkpoint(tmp_path / "run", model, make()[1])
    assert not (tmp_path / "run").exists()


def test_inconsistent_cards_are_refused() -> None:
    spec = ModelSpec(name="adhoc", outputs=2)
    with pytest.raises(ValidationError, match="expected 2, one an output of the model, got 1"):
        card_of(spec, class_names=("none",))


def test_decoder_is_the_one_in_use() -> None:
    assert InputSpec().decoder == DECODER


def test_a_bundle_is_not_a_run(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(BadCheckpoint, match=r"got a BUNDLE folder; name the RUN that it was exported from"):
        load_checkpoint(tmp_path)
