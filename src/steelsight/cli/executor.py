"""The option `--ray`: the connection to a cluster, and whether trainings or scans are done there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import print_line
from steelsight.executor import Executor, LocalExecutor

if TYPE_CHECKING:
    from steelsight.runtime.scan.job import RunParts

__all__ = ["RayOption", "chosen_executor", "connected", "parts_on_cluster"]

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
def connected(ray: str) -> Iterator[None]:
    """Be connected to the cluster that `--ray` names inside the `with`.

    raises  BadCluster where there is no such cluster; ModuleNotFoundError without Ray
    """
    from steelsight.cluster.address import check_address

    check_address(ray)
    from steelsight.cluster.connect import connect

    # Ray prints what happens to its nodes on stdout, which is that of results.
    with redirect_stdout(sys.stderr), connect(ray):
        yield


@contextmanager
def chosen_executor(ray: str | None) -> Iterator[Executor]:
    """The executor that `--ray` asks for; nothing of Ray is imported without it; raises as `connected`."""
    if ray is None:
        yield LocalExecutor()
        return
    with connected(ray):
        from steelsight.cluster.address import LOCAL
        from steelsight.cluster.executor import RayExecutor

        yield RayExecutor(print_line, grows=ray != LOCAL)


def parts_on_cluster(workers: int | None) -> RunParts:
    """A function that scans parts on the cluster that this process is connected to; see `cluster.scan`.

    workers  at most so many processes; None = one a processor core of the cluster
    """
    from steelsight.cluster.scan import on_cluster

    return on_cluster(workers=workers, say=print_line)
