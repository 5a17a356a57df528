"""Quantise a trained network to INT8 with NNCF, with ranges from training sheets.

The first convolution stays in float: it sets the scale of all further layers, and quantising it alone costs
most of the agreement (SqueezeNet: 99th percentile of |Δp| .17 with it, .05 without). The operators behind the
last convolution stay in float too: pooling, exponentials and sums take no time, but cost a third of the
agreement.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import numpy as np
import onnx

from steelsight.errors import BadInput
from steelsight.types import GrayBatch

__all__ = ["SHEETS", "quantise"]

SHEETS = 300  # training sheets whose activations set the ranges, as NNCF recommends
BATCH = 4
QUANTISED = {"Conv", "Gemm", "Relu", "MaxPool", "Concat"}  # operators that may work in INT8
IN_FEATURES = {"Add", "Clip"}  # and those, behind the first convolution and up to the feature map


def quantise(graph: onnx.ModelProto, sheets: GrayBatch) -> onnx.ModelProto:
    """The same graph with quantised convolutions.

    sheets  (n, h, w) uint8, drawn from the training sheets; at most SHEETS are used
    raises  BadInput without sheets
    """
    if not len(sheets):
        raise BadInput("int8: expected training sheets to set the ranges by, got none")
    with _quietly():
        import nncf

        used = np.asarray(sheets[:SHEETS])
        batches = [used[start : start + BATCH] for start in range(0, len(used), BATCH)]
        dataset = nncf.Dataset(batches, lambda batch: {"images": batch})
        quantised: onnx.ModelProto = nncf.quantize(
            graph,
            dataset,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(batches),
            ignored_scope=nncf.IgnoredScope(
                names=_float_nodes(graph),
                types=sorted({node.op_type for node in graph.graph.node} - QUANTISED - IN_FEATURES),
            ),
        )
    return quantised


def _float_nodes(graph: onnx.ModelProto) -> list[str]:
    """Names of the first convolution, and of the sums and bounds outside the features."""
    nodes = list(graph.graph.node)
    first = next(at for at, node in enumerate(nodes) if node.op_type == "Conv")
    made = {output: node for node in nodes for output in node.output}
    features = made[made["embedding"].input[0]].input[0]  # the embedding is their mean, reshaped
    last = next(at for at, node in enumerate(nodes) if features in node.output)
    return [
        node.name
        for at, node in enumerate(nodes)
        if at == first or (node.op_type in IN_FEATURES and not first < at <= last)
    ]


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Silence NNCF and what it loads, as torch's search for a CUDA compiler; errors are still logged.

    It prints progress and notes on standard output, where --json prints one object, and logs warnings.
    """
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
