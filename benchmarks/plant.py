"""Speed of the plant: exported graph and torch, scan and plain script, latency, memory, cold start.

    python benchmarks/plant.py [--threads 2] [--sheets 20000] [--bundle BUNDLE]

The networks compared have random weights: speed does not depend on them. The scan, latency and memory are of
BUNDLE, the package's own without one, at the precision its parity accepted. JPEGs are generated, 1600x256,
and repeated under other names. Candidates are timed in turns, each after untimed calls of its own, medians;
run nothing else meanwhile. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import openvino
import torch
from captum.attr import LayerGradCam
from PIL import Image

from steelsight.deploy.graph import build_graph
from steelsight.deploy.quantise import quantise
from steelsight.evaluation.timing import STUDY_BATCH, time_interleaved
from steelsight.explanations.gradcam import grad_cam_all
from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model
from steelsight.models.inputs import IMAGENET_MEAN, IMAGENET_STD, to_input
from steelsight.runtime.bundle.card import BundleCard, GraphFacts
from steelsight.runtime.bundle.default import default_bundle
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.bundle.writer import describe_files, write_bundle
from steelsight.runtime.engine.engine import open_engine
from steelsight.runtime.engine.inspector import load
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.run import scan
from steelsight.sheets.images.pixels import read_sheet
from steelsight.sheets.synthetic import synth_spec, write_sheets
from steelsight.types import InputSpec

SPEC = InputSpec()
NAMES = ("none", "type 1", "type 2", "type 3", "type 4")
DRAWN = 96


def main() -> None:
    """Measure, print, end with JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sheets", type=int, default=20_000)
    parser.add_argument("--bundle", type=Path, help="A bundle of an accepted precision, for the scan.")
    parser.add_argument("--latency-of", type=Path, help=argparse.SUPPRESS)  # a folder; the part without torch
    options = parser.parse_args()
    if options.latency_of:
        print(json.dumps(time_single_sheets(options.bundle, sorted(options.latency_of.iterdir()))))
        return
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_sheets(synth_spec(count=DRAWN), folder / "DATA")
        drawn = sorted((folder / "DATA" / "train_images").iterdir())
        images = np.stack([read_sheet(path, SPEC) for path in drawn])
        heads = {head: measure_head(head, images, folder, options.threads) for head in ("direct", "study")}
        bundle = options.bundle or default_bundle()
        direct, accepted = heads["direct"], open_bundle(bundle).card.precision
        contiguous = direct.pop("contiguous")
        heads["study"].pop("contiguous")
        best = direct[f"openvino_{accepted}_ms"]
        result: dict[str, Any] = {"heads": heads}
        parts: tuple[Callable[[], dict[str, Any]], ...] = (
            lambda: {
                "precision": accepted,
                "cam_cost": direct["cam_cost"],
                "cam_cost_openvino": direct["cam_cost_openvino"],
                "vs_eager": direct["eager_ms"] / best,
                "vs_channels_last": direct["channels_last_ms"] / best,
            },
            lambda: measure_latency(bundle, folder / "DATA" / "train_images"),
            lambda: {"cold_start_s": measure_cold_start(bundle, drawn[0])},
            lambda: measure_scan(bundle, drawn, folder, options.sheets, contiguous, images),
            lambda: measure_memory(bundle, drawn, folder),
        )
        show(result)
        for part in parts:
            found = part()
            show(found)
            result |= found
    result["load_average"] = os.getloadavg()[0]
    print(json.dumps({"benchmark": "plant", **result}))


def measure_head(head: str, images: np.ndarray, folder: Path, threads: int) -> dict[str, Any]:
    """Milliseconds a batch of five, in turns: torch, ONNX Runtime with and without maps, OpenVINO."""
    model = build_model(ModelSpec(name="squeezenet_reduced", outputs=len(NAMES), head=head)).eval()
    with_maps, bare = build_graph(model), build_graph(model, maps=False)
    files = {
        "model.onnx": with_maps.SerializeToString(deterministic=True),
        "model.int8.onnx": quantise(with_maps, images).SerializeToString(deterministic=True),
    }
    for precision in ("f32", "bf16", "int8"):
        write(folder / f"{head}-{precision}", files, head, precision)
    gray = images[:STUDY_BATCH]
    contiguous = build_model(ModelSpec(name="squeezenet_reduced", outputs=len(NAMES), head=head)).eval()
    contiguous = contiguous.to(memory_format=torch.contiguous_format)
    inputs = to_input(torch.from_numpy(gray))
    flat = inputs.contiguous(memory_format=torch.contiguous_format)
    candidates: dict[str, Callable[[], object]] = {
        "eager": lambda: infer(contiguous, flat),
        "channels_last": lambda: infer(model, inputs),
        "ours_torch_maps": lambda: maps(model, inputs),
        "onnxruntime": session(files["model.onnx"], gray, threads, ("logits", "maps", "embedding")),
        "onnxruntime_bare": session(bare.SerializeToString(), gray, threads, ("logits", "embedding")),
        "openvino_with_maps": compiled(files["model.onnx"], gray, threads),
        "openvino_bare": compiled(bare.SerializeToString(), gray, threads),
    }
    for precision in ("f32", "bf16", "int8"):
        engine = open_engine(open_bundle(folder / f"{head}-{precision}"), threads=threads, batch=STUDY_BATCH)
        candidates[f"openvino_{precision}"] = lambda engine=engine: engine(gray)
    timed = time_interleaved(candidates, repeats=60, warm_up=5, settle=2, pause=0.05)
    found: dict[str, Any] = {f"{name}_ms": timing.median_ms for name, timing in timed.items()}
    found["cam_cost"] = timed["onnxruntime"].median_ms / timed["onnxruntime_bare"].median_ms
    found["cam_cost_openvino"] = timed["openvino_with_maps"].median_ms / timed["openvino_bare"].median_ms
    found["contiguous"] = contiguous
    return found


def infer(model: SheetClassifier, inputs: torch.Tensor) -> object:
    """A plain forward pass."""
    with torch.inference_mode():
        return model(inputs)


def maps(model: SheetClassifier, inputs: torch.Tensor) -> object:
    """Logits and all classes' maps in torch."""
    with torch.inference_mode():
        return grad_cam_all(model, inputs)


def session(graph: bytes, gray: np.ndarray, threads: int, outputs: tuple[str, ...]) -> Callable[[], object]:
    """One ONNX Runtime call."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    made = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda: made.run(list(outputs), {"images": gray})


def compiled(graph: bytes, gray: np.ndarray, threads: int) -> Callable[[], object]:
    """One OpenVINO call at bf16, as the engine compiles it."""
    core = openvino.Core()
    model = core.read_model(model=graph)
    model.reshape(gray.shape)
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16",
        "ENABLE_CPU_PINNING": False,
    }
    request = core.compile_model(
        model, "CPU", {**settings, "INFERENCE_NUM_THREADS": threads}
    ).create_infer_request()
    return lambda: request.infer([openvino.Tensor(gray, shared_memory=True)])


def write(folder: Path, files: dict[str, bytes], head: str, precision: str) -> None:
    """A bundle of one precision."""
    graph = "model.int8.onnx" if precision == "int8" else "model.onnx"
    card = BundleCard(
        model_id=hashlib.sha256(files[graph]).hexdigest()[:12],
        task="multiclass",
        class_names=NAMES,
        model="squeezenet_reduced",
        head=head,
        input=SPEC,
        graph=GraphFacts(opset=17, grid=(3, 24), embedding=384),
        precision=precision,
        files=describe_files(files),
    )
    write_bundle(folder, card, files)


def measure_scan(
    bundle: Path, drawn: list[Path], folder: Path, count: int, model: SheetClassifier, images: np.ndarray
) -> dict[str, float]:
    """Sheets a second from JPEG files to Parquet rows, beside a plain script and beside the ceiling."""
    sheets = copies(drawn, folder / "sheets", count)
    usual = usual_script(model, drawn)
    decode_ms, infer_ms = core_ms(bundle, drawn, images)
    cores = len(os.sched_getaffinity(0))
    ceiling = cores * 1000 / (decode_ms + infer_ms)
    rates: dict[str, list[float]] = {"plain": [], "maps": []}
    for turn in range(2):
        for kind in rates:
            out = folder / f"scan-{kind}-{turn}"
            start = time.perf_counter()
            scan(bundle, [sheets], out, ScanOptions(heatmaps=kind == "maps", page=False))
            rates[kind].append(count / (time.perf_counter() - start))
    plain, mapped = (float(np.median(each)) for each in rates.values())
    return {
        "usual_sheets_per_s": usual,
        "decode_core_ms": decode_ms,
        "infer_core_ms": infer_ms,
        "ceiling_sheets_per_s": ceiling,
        "scan_sheets_per_s": plain,
        "scan_with_heatmaps_per_s": mapped,
        "scan_speedup": plain / usual,
        "scan_of_ceiling": plain / ceiling,
    }


def copies(drawn: list[Path], folder: Path, count: int) -> Path:
    """A number of files, each with its own bytes."""
    folder.mkdir()
    contents = [path.read_bytes() for path in drawn]
    for index in range(count):
        (folder / f"{index:06d}.jpg").write_bytes(contents[index % len(contents)])
    return folder


def usual_script(model: SheetClassifier, paths: list[Path]) -> float:
    """PIL decode, resize, torch eager and Captum's Grad-CAM of the verdict, one sheet after the other."""
    explain = LayerGradCam(model, model.features)
    mean, std = (torch.tensor(each)[:, None, None] for each in (IMAGENET_MEAN, IMAGENET_STD))

    def one(path: Path) -> None:
        with Image.open(path) as image:
            small = image.convert("RGB").resize((SPEC.width, SPEC.height), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.asarray(small).copy()).permute(2, 0, 1).float() / 255
        inputs = ((pixels - mean) / std)[None]
        with torch.no_grad():
            target = int(model(inputs).argmax())
        explain.attribute(inputs, target=target)

    for path in paths[:8]:
        one(path)
    start = time.perf_counter()
    for path in paths:
        one(path)
    return len(paths) / (time.perf_counter() - start)


def core_ms(bundle: Path, drawn: list[Path], images: np.ndarray) -> tuple[float, float]:
    """Milliseconds of one core a sheet: decoding, and inference in the scan's batches with one thread."""
    opened = open_bundle(bundle)
    engine = open_engine(opened, threads=1)
    turn = iter(range(10**9))
    timed = time_interleaved(
        {
            "decode": lambda: [read_sheet(drawn[next(turn) % len(drawn)], SPEC) for _ in range(engine.batch)],
            "infer": lambda: engine(images[: engine.batch]),
        },
        repeats=40,
        settle=1,
    )
    return timed["decode"].median_ms / engine.batch, timed["infer"].median_ms / engine.batch


def measure_latency(bundle: Path, folder: Path) -> dict[str, float]:
    """Measured in a process of its own, without the idle threads of torch."""
    command = [sys.executable, __file__, "--bundle", str(bundle), "--latency-of", str(folder)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(output)
    return found


def time_single_sheets(
    bundle: Path, drawn: list[Path], rate: float = 50.0, seconds: float = 60.0
) -> dict[str, float]:
    """From the file's path to the verdict, one sheet at a time at 50 sheets a second."""
    inspector = load(bundle, batch=1)
    for path in drawn[:10]:
        inspector.inspect(path)
    waited = []
    start = time.perf_counter()
    for number in range(int(rate * seconds)):
        due = start + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        inspector.inspect(drawn[number % len(drawn)])
        waited.append((time.perf_counter() - due) * 1e3)
    return {"p50_ms": float(np.median(waited)), "p99_ms": float(np.quantile(waited, 0.99))}


def measure_memory(bundle: Path, drawn: list[Path], folder: Path) -> dict[str, float]:
    """Peak memory of a scan of 20,000 sheets over that of 1,000, all processes together."""
    peaks = []
    for count in (1000, 20_000):
        sheets = folder / f"memory-{count}"
        sheets.mkdir()
        for index in range(count):
            (sheets / f"{index:06d}.jpg").symlink_to(drawn[index % len(drawn)])
        command = [
            str(Path(sys.executable).parent / "steelsight"),
            "scan",
            str(bundle),
            str(sheets),
            "--out",
            f"{sheets}-out",
        ]
        peaks.append(peak_rss(command))
    return {"peak_mb_1000": peaks[0], "peak_mb_20000": peaks[1], "memory_growth": peaks[1] / peaks[0] - 1}


def peak_rss(command: list[str]) -> float:
    """Largest sum of resident memory of a command and its children, in megabytes, sampled."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0.0
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.05):
            most = max(most, resident(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    if code:
        raise SystemExit(f"{' '.join(command)} ended with {code}")
    return most


def resident(pid: int) -> float:
    """Proportional memory of a process and its descendants, in megabytes."""
    total = 0.0
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                total += resident(int(child))
    except (OSError, StopIteration):  # it has ended meanwhile
        return total
    return total


def measure_cold_start(bundle: Path, sheet: Path) -> float:
    """Seconds of a fresh interpreter from import to the first verdict, the best of five."""
    code = f"import steelsight; steelsight.load({str(bundle)!r}).inspect({str(sheet)!r})"
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def show(result: dict[str, Any]) -> None:
    """Print one figure a line."""
    for name, value in result.items():
        if isinstance(value, dict):
            for head, figures in value.items():
                for inner, figure in figures.items():
                    print(f"{head + ' ' + inner:>36}: {figure:.3f}")
        else:
            print(f"{name:>36}: {value if isinstance(value, str) else format(value, '.3f')}", flush=True)


if __name__ == "__main__":
    main()
