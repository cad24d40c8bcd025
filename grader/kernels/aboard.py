"""What runs in the worker when kernels are timed on a device: open the grader's memory, call the student's code, wait.

A worker gets this file's text beside the student's, so it imports nothing of ours. Nothing that it says is believed: it
makes the sentences, while what lies in the grader's memory makes the verdict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch

ALIGNED = 256  # bytes
Region = tuple[str, Sequence[int], bool]  # kind of number, shape, whether channels lie next to each other in memory


def places(regions: Sequence[Region]) -> tuple[list[int], int]:
    """Where regions start that lie one after the other, and how many bytes they take."""
    starts, end = [], 0
    for kind, shape, _last in regions:
        starts.append(end)
        size = math.prod(shape) * getattr(torch, kind).itemsize
        end += -(-size // ALIGNED) * ALIGNED
    return starts, end


def view(words: torch.Tensor, start: int, region: Region) -> torch.Tensor:
    """Bytes as a tensor, without copying."""
    kind, shape, last = region
    dtype = getattr(torch, kind)
    flat = words[start : start + math.prod(shape) * dtype.itemsize].view(dtype)
    if last:
        images, channels, height, width = shape
        return flat.view(images, height, width, channels).permute(0, 3, 1, 2)
    return flat.view(*shape)


def views(words: torch.Tensor, regions: Sequence[Region]) -> list[torch.Tensor]:
    """All regions as tensors."""
    return [view(words, start, region) for start, region in zip(places(regions)[0], regions, strict=True)]


class Bench:
    """Calls kernels on the grader's memory.

    Args:
        kernels: the student's module, or ours.
        device: the device's few calls.
    """

    def __init__(self, kernels: ModuleType, device: Any) -> None:
        self._kernels, self._device = kernels, device
        device.begin()

    def open(self, given: bytes, given_bytes: int, taken: bytes, taken_bytes: int) -> None:
        """Open the memory for the inputs and for the outputs."""
        self._given = self._device.opened(given, given_bytes)
        self._taken = self._device.opened(taken, taken_bytes)

    def lay(self, inputs: list[Region], outputs: list[Region]) -> None:
        """Say what lies where."""
        self._inputs, self._outputs = views(self._given, inputs), views(self._taken, outputs)

    def call(self, steps: list[tuple[str, list[int], list[Any]]], chosen: list[int]) -> None:
        """Call functions one after the other, and put what was chosen of all they returned where the grader reads it.

        Args:
            steps: (function, places of its tensors, further arguments); a place counts the inputs and then all that was
                returned so far.
            chosen: places of the outputs.
        """
        pool: list[Any] = list(self._inputs)
        for function, tensors, others in steps:
            found = getattr(self._kernels, function)(*(pool[place] for place in tensors), *others)
            pool += found if isinstance(found, tuple | list) else [found]
        if max(chosen) >= len(pool):
            raise TypeError(f"{steps[-1][0]} returned too few tensors")
        for place, region in zip(chosen, self._outputs, strict=True):
            self._put(pool[place], region, steps[-1][0])
        self._device.synchronize()

    def nothing(self) -> None:
        """What every call costs, whatever it computes: outputs are written and waited for."""
        for region in self._outputs:
            region.zero_()
        self._device.synchronize()

    def alive(self) -> bool:
        """Whether the device still works for this process."""
        self._device.synchronize()
        return bool((torch.ones(2, device=self._given.device) + 1).sum().item() == 4)

    def _put(self, answer: Any, region: torch.Tensor, name: str) -> None:
        if type(answer) is not torch.Tensor:
            raise TypeError(f"{name} returned an object of class {type(answer).__qualname__}; expected a tensor")
        for what in ("device", "dtype", "shape", "layout"):
            mine, right = getattr(answer, what), getattr(region, what)
            if mine != right:
                raise TypeError(f"{name} returned a tensor of {what} {_short(mine)}; expected {_short(right)}")
        start, end = self._given.data_ptr(), self._given.data_ptr() + self._given.numel()
        if answer.numel() and start <= answer.data_ptr() < end:
            raise TypeError(f"{name} returned a view of an argument; expected a tensor of its own")
        region.copy_(answer.detach())


def _short(value: Any) -> str:
    return str(tuple(value)) if isinstance(value, torch.Size) else str(value).removeprefix("torch.")
