"""Faults of a node, by the variable FAULT of its environment; on the path of the tests' nodes alone."""

import importlib.machinery
import os
import signal
import sys
import time

OF_NODE = "steelsight.cluster.node_scanner"


def with_facts(**changes):
    def change(module):
        facts = module.machine_facts
        module.machine_facts = lambda engine: {**facts(engine), **changes}

    return change


def before_scan(act):
    def change(module):
        scan = module.NodeScanner.scan

        def acted(self, part, rows):
            act(part, rows)
            return scan(self, part, rows)

        module.NodeScanner.scan = acted

    return change


def die_at_sheet_7(part, rows):
    if any(name.endswith("s007.jpg") for name in rows["name"].to_pylist()):
        os.kill(os.getpid(), signal.SIGKILL)


def see_nothing(module):
    class Blind:
        @staticmethod
        def stat(path):
            raise FileNotFoundError(2, "No such file or directory", path)

    module.os = Blind


def breaks_parity(module):
    with_facts(processor="another")(module)

    class Broken:
        broken = ("logits differ by 3",)

    module.verify_bundle = lambda bundle, threads: [Broken]


class Without:
    def __init__(self, package):
        self.package = package

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


FAULTS = {
    "other processor": with_facts(processor="another"),
    "other version": with_facts(steelsight="0.0.1"),
    "dies": before_scan(die_at_sheet_7),
    "slow": before_scan(lambda part, rows: time.sleep(0.3)),
    "sees nothing": see_nothing,
    "breaks parity": breaks_parity,
    "no onnxruntime": lambda module: sys.meta_path.insert(0, Without("onnxruntime")),
}


class Faulty:
    """Changes the module of the node once it is imported."""

    def find_spec(self, name, path=None, target=None):
        if name != OF_NODE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def execute_and_change(module):
            execute(module)
            FAULTS[os.environ["FAULT"]](module)

        spec.loader.exec_module = execute_and_change
        return spec


if os.environ.get("FAULT"):
    sys.meta_path.insert(0, Without("pyarrow") if os.environ["FAULT"] == "no pyarrow" else Faulty())
