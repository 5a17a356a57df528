"""The time limit on native code, and lack of memory in it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
import pytest

from steelsight.errors import BadBundle, BadInput
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.engine.deadline import SECONDS_VARIABLE, Deadline
from steelsight.runtime.engine.engine import open_engine


def test_answers_and_errors_pass_through() -> None:
    limit = Deadline("g.onnx", "engine")
    assert limit.within("work", lambda: 3) == 3
    with pytest.raises(KeyError):
        limit.within("work", lambda: {}["x"])


def test_work_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECONDS_VARIABLE, "0.05")
    stop = threading.Event()
    try:
        with pytest.raises(
            BadBundle, match=rf"g.onnx: engine: compiling takes longer than 0.05 s; .* {SECONDS_VARIABLE}"
        ):
            Deadline("g.onnx", "engine").within("compiling", stop.wait)
    finally:
        stop.set()


def test_only_the_first_call_has_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    run = Deadline("g.onnx", "engine").first_within("pass", lambda _: threads.append(threading.get_ident()))
    for number in range(3):
        run(number)
    assert threads[0] != threads[1] == threads[2] == threading.get_ident()


@pytest.mark.parametrize("text", ["none", "-1", "0", "nan", "1e9"])
def test_a_limit_that_is_no_time_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECONDS_VARIABLE, text)
    with pytest.raises(BadInput, match=f"{SECONDS_VARIABLE}: expected seconds above 0"):
        Deadline("g.onnx", "engine").within("work", lambda: 3)


ENDLESS = """
import numpy, openvino
from openvino import opset13 as ops
from steelsight.runtime.engine.deadline import Deadline
from steelsight.errors import BadBundle

start = ops.parameter([1], numpy.float32, name="images")
inner = ops.parameter([1], numpy.float32)
again = ops.constant(True)
body = openvino.Model([ops.sin(inner), again], [inner], "body")
loop = ops.loop(ops.constant(10**12, numpy.int64), ops.constant(True))
loop.set_function(body)
loop.set_special_body_ports([-1, 1])
loop.set_merged_input(inner, start.output(0), body.results[0].output(0))
result = loop.get_iter_value(body.results[0].output(0), -1)
model = openvino.Model([result], [start], "endless")
request = openvino.Core().compile_model(model, "CPU").create_infer_request()
images = [numpy.zeros(1, numpy.float32)]
try:
    Deadline("g.onnx", "OpenVINO").within("the first pass", lambda: request.infer(images))
except BadBundle as error:
    print(error)
"""


def test_a_process_ends_although_native_code_does_not() -> None:
    environment = {**os.environ, SECONDS_VARIABLE: "1"}
    ended = subprocess.run(
        [sys.executable, "-c", ENDLESS],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "OpenVINO: the first pass takes longer than 1 s" in ended.stdout, ended.stderr


def test_lack_of_memory_is_not_blamed_on_the_bundle(
    make_bundle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = open_bundle(make_bundle())

    def full(*_arguments: object, **_more: object) -> None:
        raise RuntimeError("Check failed: std::bad_alloc")

    monkeypatch.setattr(openvino.Core, "compile_model", full)
    with pytest.raises(MemoryError, match="OpenVINO needs more memory than there is"):
        open_engine(bundle)(np.zeros((1, 64, 96), dtype=np.uint8))
