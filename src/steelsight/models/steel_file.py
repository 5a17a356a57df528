"""Write a RUN's weights as a file of `starts.STEEL`: `python -m steelsight.models.steel_file RUN FILE`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file

from steelsight.models.checkpoint import load_checkpoint, start_weights
from steelsight.models.starts import FACTS, StartWeights

__all__ = ["write_steel"]


def write_steel(start: StartWeights, path: Path) -> None:
    """Write weights as float16, with the facts of their head.

    Biases and the statistics of batch norms, which have one axis, keep their type: variances may leave the
    range of float16.

    path  NAME.safetensors, NAME that of the network
    """
    state = {
        name: (tensor.to(torch.float16) if tensor.ndim > 1 else tensor).contiguous()
        for name, tensor in start.state.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path, metadata={FACTS: json.dumps(asdict(start.head))})


if __name__ == "__main__":
    write_steel(start_weights(*load_checkpoint(Path(sys.argv[1]))), Path(sys.argv[2]))
