"""What the figures of a training depend on, as computers of a cluster compare it."""

import pickle

import pytest
import torch
from tests.training.conftest import small

from steelsight.training.facts import accelerator_kind, facts_of, software_facts
from steelsight.training.loop.progress import NoProgress
from steelsight.training.several import TrainingTasks, run_trainings

__all__ = ["small"]


@pytest.mark.parametrize(
    ("models", "timm"),
    [
        (["adhoc", "vgg16_bn", "torchvision:regnet_y_400mf"], False),
        (["adhoc", "two_scales"], True),
        (["timm:resnet18"], True),
        (["own.networks:build"], True),
    ],
)
def test_libraries_of_the_models_are_compared(models, timm):
    facts = pickle.loads(pickle.dumps(facts_of(models)))()
    assert {"numpy", "pillow", "torch", "torchvision", "accelerator"} <= facts.keys()
    assert ("timm" in facts) is timm
    assert facts["torch"].partition("+")[0] == torch.__version__.partition("+")[0]


def test_a_package_that_is_missing_is_told():
    assert software_facts(("no-such-package",))["no-such-package"] == "none"


@pytest.mark.parametrize(
    ("device", "kind"),
    [(None, "none"), (torch.device("mps"), "mps"), (torch.device("cuda"), "Fast GPU")],
)
def test_the_kind_of_accelerator(device, kind, monkeypatch):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: device)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Fast GPU")
    assert accelerator_kind() == kind


class _Noting:
    concurrent = False

    def run(self, work, receive):
        self.work = work
        yield from ()


def test_trainings_carry_the_facts_of_their_models(small):
    executor = _Noting()
    recipes = [small(), small("model.name=two_scales", "height=64", "width=64")]
    tasks = TrainingTasks(len, None, [1, 2], ["a", "b"], recipes, [], [])
    assert list(run_trainings(tasks, progress=NoProgress(), executor=executor)) == []
    assert "timm" in executor.work.facts()
