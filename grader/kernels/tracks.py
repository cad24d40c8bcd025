"""What the kernel tracks ask of a device: sizes, the student's functions and torch's, what is right, and the rungs.

Thresholds are times of torch's own kernel, from what is known of others' kernels (docs/kernels.md): nobody has measured
them here yet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from ..compare import Mismatch
from ..errors import AskedWrongly, OurFault
from . import rounding
from .race import Case
from .rounding import Expected, kind_of
from .stage import Work

KINDS = ("float32", "float16", "bfloat16")
TIMED = "bfloat16"
SLACK = 16.0  # times the bound, by which torch's own answer may err: its algorithms for float32 are less exact
HONEST = 0.6  # of the device's peak, that torch's kernels reach
CONV_LADDER = {"honour": (1.25, 1.0), "gold": (2.0, 1.0), "silver": (4.0, 0.6), "pass": (33.0, 0.3)}
ATTENTION_LADDER = {"honour": (1.0, 1.0), "gold": (1.43, 1.0), "silver": (2.5, 0.6), "pass": (6.7, 0.3)}

LAYERS = ((64, 56), (256, 14))  # channels and side, as in a residual network
AGAINST = "the time of torch's own"
NO_CASE = Case("", lambda _rng: (), 0.0, 0.0)

Table = Mapping[str, tuple[float, float]]
Model = Callable[..., list[Expected]]


@dataclass(frozen=True, slots=True)
class Question:
    """One call on the device: what is called, what is right, and the shapes of the inputs."""

    name: str
    work: Work
    model: Model  # of the inputs
    shapes: tuple[tuple[int, ...], ...]
    flops: float
    last: bool = False  # whether channels of images and outputs lie next to each other
    images: tuple[int, ...] = ()  # the shape of the images
    scales: tuple[float, ...] = ()  # of the inputs; 1 by default

    def is_last(self, shape: tuple[int, ...]) -> bool:
        """Whether channels of an input of that shape lie next to each other."""
        return self.last and shape in (self.shapes[0], self.images)

    def draw(self, rng: np.random.Generator, kind: str, ground: torch.device) -> tuple[Any, ...]:
        """Draw numbers on the device and round them to a kind; return this question and they."""
        generator = torch.Generator(ground).manual_seed(int(rng.integers(1 << 62)))
        made = []
        for place, shape in enumerate(self.shapes):
            numbers = torch.randn(shape, generator=generator, device=ground)
            numbers *= self.scales[place] if self.scales else 1.0
            rounded = numbers.to(getattr(torch, kind))
            made.append(rounded.contiguous(memory_format=torch.channels_last) if self.is_last(shape) else rounded)
        return self, *made


def run(module: Any, steps: Any, chosen: Any) -> object:
    """What is called in the worker."""
    return module.call(steps, chosen)


def judge(theirs: Sequence[torch.Tensor], ours: Sequence[torch.Tensor], inputs: tuple[Any, ...]) -> None:
    """Hold that the student's answers are right. Raises Mismatch."""
    question, *tensors = inputs
    expected = question.model(*tensors)
    for answer, right in zip(theirs, expected, strict=True):
        look(answer, right)
    for answer, right in zip(ours, expected, strict=False):
        if not bool(((answer.double() - right.right).abs() <= SLACK * right.bound).all()):
            raise OurFault(f"Torch's own {right.name} is further off than rounding explains.")


def look(answer: torch.Tensor, expected: Expected) -> None:
    """Hold that an answer is right: every entry is there, a number, and within its bound.

    Raises:
        Mismatch: it is not; says how many entries, and where the first is.
    """
    name = expected.name
    numbers = answer.double()
    words = answer.contiguous().view(torch.uint8).reshape(answer.numel(), -1)
    unwritten = int((words == 0xFF).all(1).sum())
    if unwritten:
        raise Mismatch(
            f"{name}: {unwritten} of {answer.numel()} values were not there when the kernel said that it had finished."
        )
    far = ~((numbers - expected.right).abs() <= expected.bound)
    if not bool(far.any()):
        return
    place = tuple(int(number) for number in far.nonzero()[0])
    if not bool(torch.isfinite(numbers).all()):
        place = tuple(int(number) for number in (~torch.isfinite(numbers)).nonzero()[0])
        raise Mismatch(f"{name} is not finite; the first such value is at {list(place)}.")
    error, bound = float((numbers - expected.right).abs()[place]), float(expected.bound[place])
    raise Mismatch(
        f"{name}: {int(far.sum())} of {answer.numel()} values are further off than rounding to {kind_of(answer)} explains; "
        f"the first, at {list(place)}, by {error / bound:.3g} times as much."
    )


def case(question: Question, ground: torch.device, peak: float, bandwidth: float) -> Case:
    """Make what is timed of a question."""
    regions = [*((TIMED, shape) for shape in question.shapes), *question.work.shapes(TIMED)]
    moved = sum(math.prod(shape) * getattr(torch, kind).itemsize for kind, shape in regions)
    return Case(
        question.name, lambda rng: question.draw(rng, TIMED, ground), question.flops, 0.0, judge, AGAINST, peak,
        moved / bandwidth,
    )  # fmt: skip


def _with(model: Model, others: tuple[Any, ...], *tensors: torch.Tensor) -> list[Expected]:
    return model(*tensors, *others)


# Convolution


def _conv_question(
    images: tuple[int, ...], filters: tuple[int, ...], stride: int, padding: int, *, back: bool, last: bool
) -> Question:
    sides = [(n + 2 * padding - k) // stride + 1 for n, k in zip(images[2:], filters[2:], strict=True)]
    output = (images[0], filters[0], *sides)
    others = (stride, padding)
    shapes = (output, images, filters) if back else (images, filters, filters[:1])
    model: Model = rounding.convolution_backward if back else rounding.convolution
    steps = (("conv2d_backward" if back else "conv2d", (0, 1, 2), others),)

    def outputs(kind: str) -> list[tuple[str, tuple[int, ...]]]:
        return [(kind, shape) for shape in ((images, filters, filters[:1]) if back else (output,))]

    chosen = (3, 4, 5) if back else (3,)
    return Question(
        f"{'backward' if back else 'forward'}, {' x '.join(map(str, images))} to {filters[0]} by {filters[2]} x {filters[3]}",
        Work(steps, chosen, steps, chosen, outputs),
        partial(_with, model, others),
        shapes,
        (1 + back) * 2.0 * math.prod(output) * math.prod(filters[1:]),
        last,
        images,
        (1.0, 1.0, 1.0 / math.sqrt(math.prod(filters[1:]))) if back else (1.0, 1.0 / math.sqrt(math.prod(filters[1:])), 1.0),
    )  # fmt: skip


def convolutions(*, back: bool) -> list[Question]:
    """Small sizes, none like those that are timed: not square, no multiples of a block, strides, padding, one by one."""
    sizes = (
        ((2, 3, 9, 7), (5, 3, 3, 2), 1, 0), ((1, 4, 8, 9), (6, 4, 3, 3), 2, 1), ((3, 17, 11, 5), (33, 17, 1, 1), 1, 0),
        ((2, 40, 13, 14), (19, 40, 3, 3), 1, 1), ((1, 1, 5, 5), (1, 1, 5, 5), 1, 2), ((2, 8, 7, 7), (8, 8, 2, 3), 3, 0),
    )  # fmt: skip
    return [_conv_question(*size, back=back, last=last) for size in sizes for last in (False, True)]


def lone_convolution(*, back: bool) -> Question:
    """One image of such a layer: what is compiled when nothing is run."""
    return _conv_question((1, 64, 56, 56), (64, 64, 3, 3), 1, 1, back=back, last=True)


def timed_convolutions(peak: float, lasts: float, *, back: bool) -> list[Question]:
    """Layers like those of a residual network, channels last, with as many images as keep this device at work."""
    found = []
    for channels, side in LAYERS:
        one = _conv_question((1, channels, side, side), (channels, channels, 3, 3), 1, 1, back=back, last=True)
        count = _enough(one.flops, peak, lasts)
        found.append(
            _conv_question((count, channels, side, side), (channels, channels, 3, 3), 1, 1, back=back, last=True)
        )
    return found


# Attention


def _attention_question(
    heads: tuple[int, int], lengths: tuple[int, int], widths: tuple[int, int], *, causal: bool, back: bool,
    sums: bool = False, spread: float = 1.0,
) -> Question:  # fmt: skip
    (queries, keys), (width, values) = lengths, widths
    q, k, v = (*heads, queries, width), (*heads, keys, width), (*heads, keys, values)
    output = (*heads, queries, values)
    operations = 2.0 * math.prod(heads) * queries * keys * (width + values) * (0.5 if causal else 1.0)
    name = f"{'causal ' * causal}{'forward and backward' if back else 'forward'}, {math.prod(heads)} heads of {queries} x {width}"
    if back:
        theirs = (
            ("flash_attention", (1, 2, 3), (causal,)), ("flash_attention_backward", (0, 1, 2, 3, 4, 5), (causal,)),
        )  # fmt: skip
        work = Work(
            theirs, (4, 6, 7, 8), (("attention_both", (0, 1, 2, 3), (causal,)),), (4, 5, 6, 7),
            lambda kind: [(kind, shape) for shape in (output, q, k, v)],
        )  # fmt: skip
        shapes: tuple[tuple[int, ...], ...] = (output, q, k, v)
        return Question(
            name, work, partial(_with, rounding.attention_both, (causal,)), shapes, 3.5 * operations,
            scales=(1.0, spread, 1.0, 1.0),
        )  # fmt: skip

    def outputs(kind: str) -> list[tuple[str, tuple[int, ...]]]:
        return [(kind, output), ("float32", output[:3])] if sums else [(kind, output)]

    def model(*inputs: torch.Tensor) -> list[Expected]:
        return _with(rounding.attention, (causal,), *inputs)[: 1 + sums]

    steps = (("flash_attention", (0, 1, 2), (causal,)),)
    work = Work(steps, (3, 4) if sums else (3,), (("attention", (0, 1, 2), (causal,)),), (3,), outputs)
    return Question(name, work, model, (q, k, v), operations, scales=(spread, 1.0, 1.0))


def attentions(*, back: bool) -> list[Question]:
    """Small sizes, none like those that are timed: lengths that no block divides, one of 1, widths that differ, a mask
    that is not square, and scores that overflow where the largest is not taken off.
    """
    sizes = (
        ((1, 2), (19, 37), (8, 5), False, 1.0), ((2, 1), (20, 33), (16, 16), True, 1.0), ((1, 1), (1, 1), (3, 2), True, 1.0),
        ((1, 3), (130, 257), (64, 40), True, 1.0), ((1, 2), (257, 65), (32, 64), False, 1.0),
        ((1, 1), (70, 129), (40, 24), False, 30.0),
    )  # fmt: skip
    return [
        _attention_question(heads, lengths, widths, causal=causal, back=back, sums=not back, spread=spread)
        for heads, lengths, widths, causal, spread in sizes
    ]


def lone_attention(*, back: bool) -> Question:
    """One head of a long sequence: what is compiled when nothing is run."""
    return _attention_question((1, 1), (1024, 1024), (64, 64), causal=False, back=back)


def timed_attentions(peak: float, lasts: float, *, back: bool) -> list[Question]:
    """Long sequences, with as many heads as keep this device at work."""
    length = max(64, min(4096, 1 << int(math.log2(max(64.0, math.sqrt(peak * lasts / 256))))))
    found = []
    for causal in (False, True):
        one = _attention_question((1, 1), (length, length), (64, 64), causal=causal, back=back)
        count = _enough(one.flops, peak, lasts)
        found.append(_attention_question((1, count), (length, length), (64, 64), causal=causal, back=back))
    return found


def _enough(flops: float, peak: float, lasts: float) -> int:
    """How often that many operations are to be done: a power of two, so that devices of one kind get the same size."""
    return 1 << math.ceil(math.log2(max(1.0, HONEST * peak * lasts / flops)))


@dataclass(frozen=True, slots=True)
class Track:
    """One kernel track on a device."""

    stem: str  # of the student's file
    values: Callable[..., list[Question]]
    timed: Callable[..., list[Question]]
    alone: Callable[..., Question]
    ladder: Table


TRACKS = {
    "29k": Track("conv_kernel_gpu", convolutions, timed_convolutions, lone_convolution, CONV_LADDER),
    "34k": Track("flash_attention_gpu", attentions, timed_attentions, lone_attention, ATTENTION_LADDER),
}


def track(number: str) -> Track:
    """A section's track. Raises AskedWrongly when it has none."""
    if number not in TRACKS:
        raise AskedWrongly(f"Section {number} has no part for a GPU; {' and '.join(TRACKS)} have one.")
    return TRACKS[number]
