"""Faults of a node, on the path of the tests' nodes alone.

The file that the variable FAULT_FILE of a node names says which fault its next processes have, and what their
environment has beside. Without a file there is none.
"""

import importlib.machinery
import json
import os
import signal
import sys
import time
from pathlib import Path

SCANNER = "steelsight.cluster.node_scanner"
CHECKED = "steelsight.cluster.checked_nodes"
CHECKS = "steelsight.cluster.checks"


def with_facts(module, **changes):
    name = "machine_facts" if module.__name__ == SCANNER else "_all_facts"
    facts = getattr(module, name)
    setattr(module, name, lambda argument: {**facts(argument), **changes})


def before_scan(module, act):
    scan = module.NodeScanner.scan

    def acted(self, part, rows):
        act(part, rows)
        return scan(self, part, rows)

    module.NodeScanner.scan = acted


def die_at_sheet_7(part, rows):
    from steelsight.cluster.packing import unpack_rows

    if any(name.endswith("s007.jpg") for name in unpack_rows(rows)["name"].to_pylist()):
        os.kill(os.getpid(), signal.SIGKILL)


def tell(part, rows):
    """Write down who scans, with which environment; slowly, so that every worker gets a part."""
    file = Path(os.environ["FAULT_FILE"])
    (file.parent / f"told-{file.stem}-{os.getpid()}.json").write_text(json.dumps(dict(os.environ)))
    time.sleep(0.5)


def see_nothing(module):
    def size(path):
        raise FileNotFoundError(2, "No such file or directory", path)

    module._size = size


def breaks_parity(module):
    with_facts(module, processor="another")

    class Broken:
        broken = ("logits differ by 3",)

    module.verify_bundle = lambda bundle, threads, engines: [Broken for _ in engines]


def fail_to_import(module):
    raise ModuleNotFoundError("No module named 'torch'", name="torch")


class Without:
    def __init__(self, package):
        self.package = package

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


FAULTS = {
    "other processor": ((SCANNER, CHECKED), lambda module: with_facts(module, processor="another")),
    "other accelerator": ((CHECKED,), lambda module: with_facts(module, accelerator="Fast GPU")),
    "other version": ((SCANNER, CHECKED), lambda module: with_facts(module, steelsight="0.0.1")),
    "dies": ((SCANNER,), lambda module: before_scan(module, die_at_sheet_7)),
    "slow": ((SCANNER,), lambda module: before_scan(module, lambda part, rows: time.sleep(0.3))),
    "tells": ((SCANNER,), lambda module: before_scan(module, tell)),
    "sees nothing": ((CHECKS,), see_nothing),
    "breaks parity": ((SCANNER,), breaks_parity),
    "no onnxruntime": ((SCANNER,), lambda module: sys.meta_path.insert(0, Without("onnxruntime"))),
    "no steelsight": ((SCANNER, CHECKED), fail_to_import),
}


class Faulty:
    """Changes modules of the node once they are imported."""

    def find_spec(self, name, path=None, target=None):
        if name not in (SCANNER, CHECKED, CHECKS):
            return None
        try:
            told = json.loads(Path(os.environ["FAULT_FILE"]).read_text())
        except FileNotFoundError:
            return None
        os.environ.update(told["environment"])
        modules, change = FAULTS.get(told["fault"], ((), None))
        if name not in modules:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def execute_and_change(module):
            execute(module)
            change(module)

        spec.loader.exec_module = execute_and_change
        return spec


if os.environ.get("FAULT_FILE"):
    sys.meta_path.insert(0, Faulty())
