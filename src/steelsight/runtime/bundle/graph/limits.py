"""Limits of a graph's size and work."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GraphLimits"]


@dataclass(frozen=True)
class GraphLimits:
    """What one sheet may take.

    VGG16, the largest network here, takes 579 elements (INT8: 1,115) and 306,000 multiplications a pixel.
    """

    nodes: int = 4096  # operators of a graph
    pixels: int = 2**24  # of the input
    tensor_a_pixel: int = 128  # elements of one tensor for every pixel of the input
    total_a_pixel: int = 2048  # elements of all tensors together
    work_a_pixel: int = 2**20  # multiplications
    tensor: int = 2**26  # elements of one tensor, whatever the input
    total: int = 2**29  # elements of all tensors together
    work: int = 2**38  # multiplications

    def of(self, pixels: int) -> tuple[int, int, int]:
        """Elements of one tensor, of all tensors, and multiplications, for an input of so many pixels.

        Inputs of few pixels are allowed as much as one of 8,192.
        """
        share = max(pixels, 8192)
        return (
            min(self.tensor, share * self.tensor_a_pixel),
            min(self.total, share * self.total_a_pixel),
            min(self.work, share * self.work_a_pixel),
        )
