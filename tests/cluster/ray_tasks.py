"""What the tests let workers of Ray do: functions of a module that they can import."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from steelsight.errors import BadData


def describe(shared, task, send):
    """Sum the shared numbers, and tell how they lie in memory."""
    images, labels = shared
    send(f"first of {task}")
    send(f"second of {task}")
    return task, int(images.sum()), type(images) is np.ndarray, images.flags.writeable, labels.flags.writeable


def fail(shared, task, send):
    raise BadData(f"{task}: expected sheets, got none")


def die(shared, task, send):
    """End the process at the task's first beginnings; returns how often it began."""
    folder, deaths = shared
    marks = Path(folder) / task
    marks.mkdir(exist_ok=True)
    begun = len(list(marks.iterdir()))
    (marks / str(begun)).touch()
    if begun < deaths.get(task, 0):
        os.kill(os.getpid(), signal.SIGKILL)
    return begun


def wait_at_first(folder, task, send):
    """Send the node's id; wait for ten minutes where the task begins for the first time."""
    import ray

    send(ray.get_runtime_context().get_node_id())
    begun = Path(folder) / task
    if not begun.exists():
        begun.touch()
        time.sleep(600)
    return "done"


def kill_keeper(shared, task, send):
    """Kill the process that keeps the events, between two events."""
    import ray

    send("before")
    keeper = ray.get(send.actor.__ray_call__.remote(lambda _: os.getpid()))
    os.kill(keeper, signal.SIGKILL)
    send("after")
    return task


def where(shared, task, send):
    """The node of the task, after a second in which others begin."""
    import ray

    time.sleep(1)
    return ray.get_runtime_context().get_node_id()


def need(shared, task, send):
    """Use a module that one node has not."""
    if os.environ.get("MISSING"):
        raise ModuleNotFoundError("No module named 'mill_models'", name="mill_models")
    return where(shared, task, send)


def facts():
    """What results depend on."""
    return {"accelerator": "none"}


def count_gpus(shared, task, send):
    """How many GPUs the task has."""
    import ray

    return len(ray.get_gpu_ids())
