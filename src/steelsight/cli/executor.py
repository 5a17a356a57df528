"""The option `--ray`: whether a verb's independent trainings are done here or on a cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Annotated

import typer

from steelsight.cli.console import print_line
from steelsight.executor import Executor, LocalExecutor

__all__ = ["RayOption", "chosen_executor"]

RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        help="Do the independent trainings on a Ray cluster: auto = the one that runs here, local = Ray on "
        "this computer alone, or the cluster's address. Default: one after the other in this process.",
        metavar="ADDRESS",
    ),
]


@contextmanager
def chosen_executor(ray: str | None) -> Iterator[Executor]:
    """The executor that `--ray` asks for; nothing of Ray is imported without it.

    raises  BadCluster where there is no such cluster; ModuleNotFoundError without Ray
    """
    if ray is None:
        yield LocalExecutor()
        return
    from steelsight.cluster.executor import ray_executor

    # Ray prints what happens to its nodes on stdout, which is that of results.
    with redirect_stdout(sys.stderr), ray_executor(ray, print_line) as executor:
        yield executor
