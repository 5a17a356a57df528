"""Seven explanation methods beside their usual libraries: time, agreement, and time of the arithmetic alone.

    python benchmarks/explanations.py [--quick] [--only lime,deeplift] [--threads 2] [--head both]

One process, the same reduced SqueezeNet and the same sheet of 64x400 for all, rounds interleaved, medians.
Peers: captum, grad-cam, shap and lime, as far as they are installed. The yardstick is
the exact floating-point work of a method over the rate of a float32 matrix product in the same run. Prints
a table for each head and, as the last line, one JSON object.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from steelsight.errors import MissingWeights
from steelsight.evaluation.timing import time_interleaved
from steelsight.explanations.baselines import black_sheet
from steelsight.explanations.deeplift.api import deep_lift, deep_shap
from steelsight.explanations.gradcam import grad_cam, grad_cam_all
from steelsight.explanations.guided import guided_backprop, guided_grad_cam
from steelsight.explanations.integrated import integrated_gradients, integrated_gradients_report
from steelsight.explanations.lime.api import lime, lime_report
from steelsight.explanations.lime.segments import segment_sheet
from steelsight.models.catalog import ModelSpec, build_model
from steelsight.models.inputs import to_input
from steelsight.models.summary import summarise
from steelsight.sheets.synthetic import SynthSpec, draw_sheet

CLASSES = 5
STEPS = 50
REFERENCES = 10
PEER_SAMPLES = 1000
TARGET = 1


@dataclass
class Row:
    """One method: ours, its peers, the passes it needs, and the agreement with a peer."""

    ours: Callable[[], Any]
    peers: dict[str, Callable[[], Any]]
    passes: float  # forward passes of the network that the method needs; a backward pass counts 1
    agreement: Callable[[], float]
    turns: int = 9
    calls: int = 8  # in a row in each round, as over a folder of sheets: memory and caches are warm
    notes: dict[str, float] = field(default_factory=dict)


def main() -> None:
    """Measure each head and print the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="three turns of everything")
    parser.add_argument("--only", default="", help="names of methods, joined by commas")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--head", choices=("direct", "study", "both"), default="both")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore", message="(Setting forward|Input Tensor|.*unrecognized nn.Module)")
    only = set(filter(None, options.only.split(",")))
    results = {}
    for head in ("direct", "study") if options.head == "both" else (options.head,):
        results[head] = measure_head(head, only, quick=options.quick)
    first = next(iter(results.values()))
    print(json.dumps({**first, **{name: each for name, each in results.items() if each is not first}}))


def measure_head(head: str, only: set[str], *, quick: bool) -> dict[str, Any]:
    """All methods on one head."""
    scene = Scene(head)
    rate = gemm_rate()
    rows = {name: row for name, row in make_rows(scene).items() if not only or name in only}
    print(f"\n{head} head, {scene.gflop:.3f} GFLOP a forward pass, matrix products {rate:.0f} GFLOP/s")
    print(f"{'method':22}{'ours ms':>9}{'yardstick':>10}{'x over':>7}  peers: ms (ratio)      agreement")
    results: dict[str, Any] = {
        "head": head,
        "gflops": rate,
        "speedup": {},
        "over_floor": {},
        "agreement": {},
        "ms": {},
        "notes": {},
    }
    for name, row in rows.items():
        jobs = {peer: repeat(job, row.calls) for peer, job in {"ours": row.ours, **row.peers}.items()}
        timed = time_interleaved(jobs, 3 if quick else row.turns)
        ours = timed["ours"].median_ms / row.calls
        floor = row.passes * scene.gflop / rate * 1000
        best = {peer: timed[peer].median_ms / row.calls for peer in row.peers}
        agreement = row.agreement()
        results["ms"][name] = {"ours": ours, **best}
        if best:
            results["speedup"][name] = next(iter(best.values())) / ours
        results["over_floor"][name] = ours / floor
        results["agreement"][name] = agreement
        results["notes"] |= {f"{name}_{key}": value for key, value in row.notes.items()}
        peers = ", ".join(f"{peer} {ms:.1f} ({ms / ours:.1f}x)" for peer, ms in best.items())
        print(f"{name:22}{ours:9.2f}{floor:10.2f}{ours / floor:7.1f}  {peers:36} {agreement:.5f}", flush=True)
    for key, value in results["notes"].items():
        print(f"  {key} {value:.4g}")
    return results


class Scene:
    """The model, its copy for the peers, a sheet, and references."""

    def __init__(self, head: str) -> None:
        def build(pretrained: str) -> nn.Module:
            spec = ModelSpec(
                name="squeezenet_reduced",
                head=head,
                outputs=CLASSES,
                pretrained=pretrained,
                height=64,
                width=400,
            )
            return build_model(spec, generator=torch.Generator().manual_seed(0))

        try:
            self.model = build("imagenet").eval()
        except MissingWeights:
            self.model = build("none").eval()
        self.peer = copy.deepcopy(self.model).eval()
        for parameter in self.peer.parameters():  # the usual layout; `.to` leaves 1x1 weights as they are
            parameter.data = torch.empty(parameter.shape).copy_(parameter.data)
        for module in self.peer.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = False
        gray = np.stack(
            [shrink(draw_sheet(SynthSpec(count=40), index).gray) for index in range(REFERENCES + 1)]
        )
        sheets = to_input(torch.from_numpy(gray))
        self.image, self.references = sheets[:1], sheets[1:]
        self.plain = self.image.contiguous()
        self.black = black_sheet(self.image)
        self.target = torch.tensor([TARGET])
        self.gflop = 2e-9 * sum(row.macs for row in summarise(self.model, 64, 400))

    def leaf(self) -> Tensor:
        """The sheet as a leaf of autograd."""
        return self.plain.clone().requires_grad_()


def shrink(gray: np.ndarray) -> np.ndarray:
    """256x1600 to 64x400 by area."""
    return gray.reshape(64, 4, 400, 4).mean((1, 3)).round().astype(np.uint8)


def gemm_rate(size: int = 1024) -> float:
    """GFLOP/s of a float32 matrix product here and now."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    torch.mm(a, b)
    seconds = []
    for _ in range(7):
        start = time.perf_counter()
        torch.mm(a, b)
        seconds.append(time.perf_counter() - start)
    return float(2e-9 * size**3 / np.median(seconds))


def repeat(job: Callable[[], Any], calls: int) -> Callable[[], None]:
    """A function that runs a job `calls` times."""

    def run() -> None:
        for _ in range(calls):
            job()

    return run


def cosine(ours: Tensor, theirs: Tensor) -> float:
    """Cosine of two maps."""
    return float(torch.cosine_similarity(ours.flatten().double(), theirs.detach().flatten().double(), dim=0))


def have(module: str) -> bool:
    """Whether a peer is installed."""
    return importlib.util.find_spec(module) is not None


def make_rows(scene: Scene) -> dict[str, Row]:
    """Every method with its peers."""
    rows = {**gradient_rows(scene), **integrated_rows(scene), **deeplift_rows(scene)}
    if have("pytorch_grad_cam"):
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        other = GradCAM(model=scene.peer, target_layers=[scene.peer.features])
        rows["grad_cam_all"].peers["grad-cam, five calls"] = lambda: [
            other(input_tensor=scene.plain, targets=[ClassifierOutputTarget(c)]) for c in range(CLASSES)
        ]
    if have("lime"):
        add_lime(rows, scene)
    return rows


def gradient_rows(scene: Scene) -> dict[str, Row]:
    """Grad-CAM, guided backpropagation and their product."""
    from captum import attr

    model, image, target, layer = scene.model, scene.image, scene.target, scene.peer.features
    cam, guided = attr.LayerGradCam(scene.peer, layer), attr.GuidedBackprop(scene.peer)
    both = attr.GuidedGradCam(scene.peer, layer)

    def peer_cams() -> Tensor:
        maps = [cam.attribute(scene.leaf(), target=c, relu_attributions=False) for c in range(CLASSES)]
        return torch.stack(
            [attr.LayerAttribution.interpolate(m, (64, 400), interpolate_mode="bilinear") for m in maps]
        )

    def peer_both() -> Tensor:
        return both.attribute(scene.leaf(), target=TARGET, interpolate_mode="bilinear").sum(1)

    return {
        "grad_cam_all": Row(
            lambda: grad_cam_all(model, image),
            {"captum, five calls": peer_cams},
            1,
            lambda: min(cosine(grad_cam(model, image, c), theirs) for c, theirs in enumerate(peer_cams())),
        ),
        "guided_backprop": Row(
            lambda: guided_backprop(model, image, target),
            {"captum": lambda: guided.attribute(scene.leaf(), target=TARGET)},
            2,
            lambda: cosine(
                guided_backprop(model, image, target), guided.attribute(scene.leaf(), target=TARGET).sum(1)
            ),
        ),
        "guided_grad_cam": Row(
            lambda: guided_grad_cam(model, image, target),
            {"captum": peer_both},
            2,
            lambda: cosine(guided_grad_cam(model, image, target), peer_both()),
        ),
    }


def integrated_rows(scene: Scene) -> dict[str, Row]:
    """Integrated gradients, with the completeness error."""
    from captum import attr

    model, image, target = scene.model, scene.image, scene.target
    integrated = attr.IntegratedGradients(scene.peer)

    def peer() -> Tensor:
        return integrated.attribute(scene.leaf(), scene.black, target=TARGET, n_steps=STEPS).sum(1)

    row = Row(
        lambda: integrated_gradients(model, image, target, steps=STEPS),
        {"captum": peer},
        2 * STEPS,
        lambda: cosine(integrated_gradients(model, image, target, steps=STEPS), peer()),
        turns=5,
        calls=1,
    )
    report = integrated_gradients_report(model, image, target, steps=STEPS)
    row.notes = {"completeness_error": float(report.relative_error)}
    return {"integrated_gradients": row}


def deeplift_rows(scene: Scene) -> dict[str, Row]:
    """DeepLift and DeepSHAP, with the completeness error of ours and of Captum's."""
    from captum import attr

    model, image, target = scene.model, scene.image, scene.target
    lift, shapley = attr.DeepLift(scene.peer), attr.DeepLiftShap(scene.peer)
    rows = {
        "deeplift": Row(
            lambda: deep_lift(model, image, target),
            {"captum": lambda: lift.attribute(scene.leaf(), scene.black, target=TARGET)},
            2,
            lambda: cosine(
                deep_lift(model, image, target),
                lift.attribute(scene.leaf(), scene.black, target=TARGET).sum(1),
            ),
        ),
        "deepshap": Row(
            lambda: deep_shap(model, image, target, baselines=scene.references),
            {"captum": lambda: shapley.attribute(scene.leaf(), scene.references.contiguous(), target=TARGET)},
            1 + 2 * REFERENCES,
            lambda: cosine(
                deep_shap(model, image, target, baselines=scene.references),
                shapley.attribute(scene.leaf(), scene.references.contiguous(), target=TARGET).sum(1),
            ),
            turns=5,
            calls=1,
        ),
    }
    with torch.no_grad():
        rise = float((model(image) - model(scene.black))[0, TARGET])
    theirs = float(lift.attribute(scene.plain, scene.black, target=TARGET).sum().detach())
    ours = float(deep_lift(model, image, target).sum())
    rows["deeplift"].notes = {
        "completeness_error": abs(ours - rise) / abs(rise),
        "captum_error": abs(theirs - rise) / abs(rise),
    }
    if have("shap"):
        import shap

        deep = shap.DeepExplainer(copy.deepcopy(scene.peer), scene.references.contiguous())
        rows["deepshap"].peers["shap"] = lambda: deep.shap_values(scene.plain, check_additivity=False)
    return rows


def add_lime(rows: dict[str, Row], scene: Scene) -> None:
    """LIME against its reference implementation, on the same superpixels."""
    from lime.lime_image import LimeImageExplainer

    rows_of = scene.image.mean(1)[0].double().numpy()
    cut = segment_sheet(rows_of)
    low, high = float(scene.plain.min()), float(scene.plain.max())
    picture = ((scene.plain[0].permute(1, 2, 0).numpy() - low) / (high - low)).astype(np.float64)

    def predict(batch: np.ndarray) -> np.ndarray:
        values = torch.from_numpy(batch.astype(np.float32) * (high - low) + low).permute(0, 3, 1, 2)
        with torch.no_grad():
            return scene.peer(values.contiguous()).numpy()

    def peer(samples: int, seed: int = 0) -> np.ndarray:
        explainer = LimeImageExplainer(random_state=seed)
        explanation = explainer.explain_instance(
            picture, predict, labels=(TARGET,), top_labels=None, hide_color=None, num_samples=samples,
            num_features=int(cut.max()) + 1, segmentation_fn=lambda _: cut, batch_size=50,
        )  # fmt: skip
        weights = dict(explanation.local_exp[TARGET])
        return np.array([weights.get(s, 0.0) for s in range(int(cut.max()) + 1)])

    def agreement() -> float:
        reference = lime_report(
            scene.model, scene.image, scene.target, segments=[cut], samples=20_000
        ).coefficients[0]
        ours = [
            lime_report(
                scene.model,
                scene.image,
                scene.target,
                segments=[cut],
                generator=torch.Generator().manual_seed(s),
            )
            for s in range(1, 4)
        ]
        mine = np.mean([spearmanr(each.coefficients[0], reference).statistic for each in ours])
        theirs = np.mean([spearmanr(peer(PEER_SAMPLES, s), reference).statistic for s in range(1, 3)])
        return float(mine - theirs)

    rows["lime"] = Row(
        lambda: lime(scene.model, scene.image, scene.target, segments=[cut]),
        {"lime": lambda: peer(PEER_SAMPLES)},
        PEER_SAMPLES,
        agreement,
        turns=3,
        calls=1,
    )


if __name__ == "__main__":
    main()
