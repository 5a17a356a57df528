"""Follows a graph without running it: the shape of every tensor, and what one sheet takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from steelsight.runtime.bundle.graph.limits import GraphLimits
from steelsight.runtime.bundle.graph.nodes import Node
from steelsight.runtime.bundle.graph.operators import OPERATORS
from steelsight.runtime.bundle.graph.values import GraphPort, Value, WrongNode

__all__ = ["Walk"]


class Walk:
    """A graph followed for a number of sheets.

    values    every tensor by name
    computed  names of those that are no constants
    elements  of all tensors that depend on the sheets
    work      multiplications
    raises    WrongNode where the input has the name of a constant
    """

    def __init__(
        self, limits: GraphLimits, port: GraphPort, constants: Mapping[str, Value], batch: int
    ) -> None:
        shape = (batch, *(length or 0 for length in port.shape[1:]))
        if port.name in constants:
            raise WrongNode(f"expected different names, got {port.name!a:.60} twice")
        self.batch = batch
        self.values = {**constants, port.name: Value(port.dtype, shape)}
        self.computed: set[str] = set()
        self.elements = self.work = 0
        self._fixed = set(constants)  # constants, and what is computed from them alone
        self._fixed_left = 2**16 + 4 * sum(each.size for each in constants.values())
        self._limits = limits.of(shape[1] * shape[2])

    def follow(self, nodes: Iterable[Node]) -> None:
        """Raises WrongNode where a node does not fit its inputs, or a limit is passed."""
        for number, node in enumerate(nodes):
            try:
                self._step(node)
            except WrongNode as error:
                raise WrongNode(f"operator {number} ({node.operator}): {error}") from error

    def _step(self, node: Node) -> None:
        missing = [name for name in node.inputs if name not in self.values]
        if missing:
            raise WrongNode(f"expected inputs that were computed before it, got {missing[0]!a:.60}")
        outputs, work = OPERATORS[node.operator].rule(
            [self.values[name] for name in node.inputs], node.attributes
        )
        fixed = self._fixed.issuperset(node.inputs)
        for name, value in zip(node.outputs, outputs, strict=True):
            if name in self.values:
                raise WrongNode(f"expected different names, got {name!a:.60} twice")
            self.values[name] = value
            self.computed.add(name)
            if fixed:
                self._fixed.add(name)
                self._fixed_left -= value.size
            else:
                self.elements += value.size
                if value.size > self._limits[0] * self.batch:
                    raise WrongNode(f"{value.size} elements, more than {self._limits[0]} allowed")
        if self._fixed_left < 0:
            raise WrongNode("constants that grow to more than four times what the file holds")
        self.work += work
        if self.elements > self._limits[1] * self.batch or self.work > self._limits[2] * self.batch:
            raise WrongNode(
                f"{self.elements} elements and {self.work} multiplications up to here, "
                f"more than {self._limits[1]} and {self._limits[2]} allowed"
            )
