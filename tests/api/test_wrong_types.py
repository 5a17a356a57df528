"""Every call of the API refuses what is no path, no number and no text, before it writes anything."""

from __future__ import annotations

import inspect
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import steelsight as ss
from steelsight.api.ledger.keeping import create_ledger
from steelsight.errors import BadInput, BadRecipe
from steelsight.runtime.bundle.default import FAST

OPENED = [
    "open_data",
    "open_run",
    "show_run",
    "list_runs",
    "load",
    "show_bundle",
    "verify_bundle",
    "open_ledger",
]
WRONG_PATHS = [None, 3, b"x", float("nan"), [], np.int64(3), "a\0b", "\ud800", "x" * 5000]


@pytest.mark.parametrize("path", WRONG_PATHS, ids=lambda each: repr(each)[:12])
@pytest.mark.parametrize("name", OPENED)
def test_what_is_no_path_is_refused(name, path):
    with pytest.raises(BadInput, match=r"^\w+: expected a path.*, got "):
        getattr(ss, name)(path)


@pytest.mark.parametrize("name", OPENED)
def test_a_message_is_one_line_whatever_the_path_holds(name, tmp_path):
    with pytest.raises(BadInput) as caught:
        getattr(ss, name)(tmp_path / 'a"b\n<b>\udcff')
    assert str(caught.value).isprintable()


def test_every_function_of_the_package_checks_its_arguments():
    for name in ss.__all__:
        call = getattr(ss, name)
        if inspect.isfunction(call):
            assert "__signature__" in vars(call), f"{name} is not `checked`"


UNCHECKED = """
import json
from pathlib import Path

import numpy as np
import torch

import steelsight as ss
from steelsight.errors import SteelsightError


def refusal(call, *given, **settings):
    try:
        call(*given, **settings)
    except SteelsightError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was refused"


inspector, gray = ss.load("fast", threads=1), np.zeros((64, 400), np.uint8)
options = {"count": "12", "size": None, "workers": 2.5, "force": "no", "options": 3}
tensor, coloured = torch.zeros(4, 5, dtype=torch.uint8), np.zeros((4, 5, 3), np.uint8)
images = [None, [[1, 2]], tensor, bytearray(b"text"), coloured, "a\\0b", gray]
one = (str, bytes, Path, np.ndarray)
single = [None, 3, "a.png", b"a", Path("a"), {"a": 1}, np.uint8(3), gray]
print(json.dumps({
    "settings": [refusal(ss.synth, "OUT", **{name: value}) for name, value in options.items()],
    "written": Path("OUT").exists(),
    "images": [[str(each.state), each.detail] for each in inspector.inspect_batch(images).verdicts],
    "batch": [refusal(inspector.inspect_batch, each) for each in single if not isinstance(each, one)],
    "fitted": [refusal(ss.SheetEstimator().fit, each, ["a", "b"]) for each in single],
}))
"""


@pytest.fixture(scope="module")
def unchecked(tmp_path_factory):
    """Answers of a process whose types nothing but the package itself checks, as of a user."""
    folder = tmp_path_factory.mktemp("unchecked")
    done = subprocess.run(
        [sys.executable, "-c", UNCHECKED], capture_output=True, text=True, check=True, cwd=folder
    )
    return json.loads(done.stdout)


def test_a_setting_of_another_type_is_refused_before_anything_is_written(unchecked):
    assert unchecked["settings"] == [
        "BadRecipe: --count: expected a whole number, got '12' (str)",
        "BadRecipe: --size: expected text, got None (NoneType)",
        "BadRecipe: --workers: expected a whole number, got 2.5 (float)",
        "BadRecipe: --force: expected True or False, got 'no' (str)",
        "BadRecipe: options: expected SynthOptions, got 3 (int)",
    ]
    assert not unchecked["written"]


def test_numbers_of_numpy_are_numbers(tmp_path):
    drawn = ss.synth(
        tmp_path / "out", count=np.int64(2), size="64x400", workers=np.int8(1), force=np.bool_(True)
    )
    assert drawn.as_dict()["sheets"] == 2


@pytest.mark.parametrize("name", ["height", "width", "outputs"])
def test_a_network_of_an_impossible_size(name):
    with pytest.raises(BadRecipe, match=f"--{name}: expected at most 65536, got"):
        ss.list_models("adhoc", **{name: 10**10})


def test_a_policy_that_is_a_folder(tmp_path):
    with pytest.raises(BadRecipe, match="expected a TOML file; Is a directory"):
        ss.verify_bundle(FAST, policy=tmp_path)


def test_a_seed_that_no_generator_takes(tmp_path):
    with pytest.raises(BadInput, match="seed: expected a whole number, got one of 71 bits"):
        ss.train(tmp_path, out=tmp_path / "run", seed=2**70)
    assert not (tmp_path / "run").exists()


def test_settings_of_a_recipe_are_numbers_of_numpy_too(tmp_path):
    with pytest.raises(BadRecipe, match="max_epochs: Input should be greater than or equal to 0, got -1"):
        ss.train(tmp_path, out=tmp_path / "run", max_epochs=np.int64(-1))


@pytest.mark.parametrize(
    ("folders", "idle", "message"),
    [
        ([], 0.1, "expected at least one folder to watch, got none"),
        (".", -1.0, "idle: expected at least 0 seconds, got -1"),
    ],
)
def test_a_watch_that_would_never_see_an_image(folders, idle, message, tmp_path):
    with pytest.raises(BadInput, match=message):
        ss.watch(FAST, folders, tmp_path / "out", idle=idle)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def inspector():
    return ss.load(FAST, threads=1)


def test_what_is_no_image_has_a_verdict_that_says_so(unchecked):
    expected = [
        "a gray uint8 array (h, w), got NoneType",
        "got list",
        "got Tensor",
        "found a file that starts with",
        "got uint8 of shape (4, 5, 3)",
        "got text that no file can have",
    ]
    *bad, good = unchecked["images"]
    assert good[0] != "bad_image"
    for (state, detail), part in zip(bad, expected, strict=True):
        assert state == "bad_image"
        assert part in detail


def test_a_folder_is_no_image(inspector, tmp_path):
    assert "got a folder or a device" in inspector.inspect(tmp_path).detail


@pytest.mark.parametrize(("call", "refused"), [("batch", 4), ("fitted", 8)])
def test_one_image_in_place_of_several_is_refused(call, refused, unchecked):
    """A batch may be one image."""
    assert len(unchecked[call]) == refused
    for message in unchecked[call]:
        assert message.startswith("BadInput: images: expected a list of images")
        assert message.endswith("; put one image into a list")


def test_an_inspector_says_why_it_cannot_be_pickled(inspector):
    with pytest.raises(TypeError, match="load the bundle again there"):
        pickle.dumps(inspector)


@pytest.mark.parametrize("value", [None, "a", [], True, float("inf"), 10**400, 1e-300])
@pytest.mark.parametrize("name", ["penalty", "limit"])
def test_a_setting_of_the_estimator_that_is_no_number_above_0(name, value):
    with pytest.raises(BadInput, match=f"{name}: expected a number above 0, got "):
        ss.SheetEstimator(**{name: value}).fit([np.zeros((4, 5), np.uint8)] * 2, ["a", "b"])


def test_labels_of_mixed_types():
    with pytest.raises(BadInput, match="y: expected text or numbers, of one type, got NoneType, str"):
        ss.SheetEstimator().fit([np.zeros((4, 5), np.uint8)] * 2, ["a", None])


class Answering(nn.Module):
    """A network whose answer is changed by a function."""

    def __init__(self, change):
        super().__init__()
        self.convolution, self.linear, self.change = nn.Conv2d(3, 4, 3), nn.Linear(4, 3), change

    def forward(self, images):
        return self.change(self.linear(self.convolution(images).relu().mean((2, 3))))


def _raise(_):
    raise RuntimeError("first line\nsecond line")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda logits: (logits, logits), "one tensor of logits .*got tuple"),
        (lambda logits: {"logits": logits}, "got dict"),
        (lambda logits: logits > 0, "logits of floating point, got torch.bool"),
        (lambda logits: logits[:, :0], r"got \(2, 0\)"),
        (lambda logits: logits * torch.nan, "finite logits, got NaN or infinity for image 0"),
        (_raise, "got RuntimeError: first line; give it images"),
    ],
)
def test_a_module_with_another_answer_is_refused_and_unchanged(change, message):
    network = Answering(change).train()
    network.linear.bias.requires_grad_(False)
    with pytest.raises(BadInput, match=message):
        ss.explain(network, torch.rand(2, 3, 8, 9), layer="convolution")
    assert network.training
    assert [each.requires_grad for each in network.parameters()] == [True, True, True, False]
    assert not any(each._forward_hooks for each in network.modules())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": 2.0}, "target: expected a class index from 0 to 2, got 2.0"),
        ({"target": {0, 1}}, "target: expected a class index"),
        ({"class_names": ["a"]}, "class_names: expected 3, one a class of the model, got 1"),
        ({"class_names": []}, "class_names: expected 3"),
        ({"class_names": "abc"}, "class_names: expected a list of text or None, got 'abc'"),
        ({"layer": []}, "layer: expected text, got"),
        ({"colour": 3}, "explain: expected one of layer for gradcam, got the setting colour"),
        ({"method": []}, "method: expected text, got"),
    ],
)
def test_a_setting_of_an_explanation_that_cannot_be_used(settings, message):
    network = Answering(lambda logits: logits)
    with pytest.raises(BadInput, match=message):
        ss.explain(network, torch.rand(2, 3, 8, 9), **{"layer": "convolution", **settings})


def test_images_of_a_module_that_are_no_numbers():
    network = Answering(lambda logits: logits)
    for images in (None, "sheet.png", ["a"], torch.zeros(2, 3, 8, 9, device="meta"), torch.zeros(2, 1, 8, 9)):
        with pytest.raises(BadInput, match="explain: expected "):
            ss.explain(network, images, layer="convolution")
    found = ss.explain(
        network, torch.rand(2, 3, 8, 9), layer="convolution", target=[np.int64(1), np.int64(0)]
    )
    assert found.targets.tolist() == [1, 0]


def test_a_module_without_gradients_is_refused():
    with torch.inference_mode():
        network = Answering(lambda logits: logits)
    with pytest.raises(BadInput, match=r"made inside torch\.inference_mode"):
        ss.explain(network, torch.rand(2, 3, 8, 9), layer="convolution")
    assert all(each.requires_grad for each in network.parameters())


def test_what_a_ledger_is_asked_for_has_its_type(tmp_path):
    create_ledger(tmp_path / "steelsight.db").close()
    with ss.open_ledger(tmp_path / "steelsight.db") as ledger:
        for value in (3, b"x", 10**30, True):
            with pytest.raises(BadRecipe, match="coil: expected text or None, got "):
                ledger.verdicts(coil=value)
        for value in (None, 3, b"x"):
            with pytest.raises(BadInput, match="anchors: expected a list of Anchor or a path, got "):
                ledger.verify(value)
            with pytest.raises(BadInput, match=r"rolls: expected .* or a path, got "):
                ledger.repeats("coil", value)
