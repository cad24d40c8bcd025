"""Handwriting that nobody has seen: digits drawn from strokes, each a little different, for hidden tests.

A digit is a few lines through points in the unit square. Every copy is turned, slanted, stretched, bent and shifted by
chance, and drawn with a pen of its own width.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

SIDE = 28  # pixels
AT_ONCE = 100  # images drawn together: memory is AT_ONCE * segments * SIDE * SIDE numbers
EDGE = 0.03  # width of the soft edge of a stroke, in units of the square's side

Array = np.ndarray[Any, np.dtype[Any]]


def _arc(x: float, y: float, width: float, height: float, begin: float, end: float, points: int) -> list[list[float]]:
    """Points on an ellipse, angles in degrees, clockwise from the right as y points down."""
    turns = np.deg2rad(np.linspace(begin, end, points))
    return [[x + width * np.cos(t), y + height * np.sin(t)] for t in turns]


STROKES: tuple[list[list[list[float]]], ...] = (
    [_arc(0.5, 0.5, 0.28, 0.4, 0, 360, 14)],
    [[[0.35, 0.25], [0.52, 0.1], [0.52, 0.9]]],
    [[*_arc(0.5, 0.3, 0.26, 0.2, 180, 380, 8), [0.25, 0.88], [0.78, 0.88]]],
    [[*_arc(0.47, 0.3, 0.25, 0.2, 200, 450, 8), *_arc(0.47, 0.7, 0.28, 0.2, 270, 520, 8)]],
    [[[0.62, 0.9], [0.62, 0.1], [0.22, 0.62], [0.8, 0.62]]],
    [[[0.74, 0.1], [0.32, 0.1], [0.3, 0.45], *_arc(0.48, 0.65, 0.26, 0.22, 250, 500, 8)]],
    [[[0.64, 0.1], [0.36, 0.42]], _arc(0.5, 0.68, 0.24, 0.21, 200, 560, 11)],
    [[[0.22, 0.12], [0.78, 0.12], [0.42, 0.9]]],
    [_arc(0.5, 0.3, 0.21, 0.19, 90, 450, 11), _arc(0.5, 0.69, 0.26, 0.21, -90, 270, 11)],
    [_arc(0.5, 0.33, 0.24, 0.22, 20, 380, 11), [[0.72, 0.4], [0.6, 0.9]]],
)


@lru_cache(maxsize=4)
def digits(n: int, seed: int) -> tuple[Array, Array]:
    """Draw some digits.

    Returns:
        Images (n, 28, 28) and labels (n,), uint8, read-only; always the same for one seed.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, n).astype(np.uint8)
    images = np.zeros((n, SIDE, SIDE), np.uint8)
    for digit in range(10):
        places = np.flatnonzero(labels == digit)
        for begin in range(0, len(places), AT_ONCE):
            some = places[begin : begin + AT_ONCE]
            images[some] = _drawn(digit, len(some), rng)
    images.setflags(write=False)
    labels.setflags(write=False)
    return images, labels


def _drawn(digit: int, n: int, rng: np.random.Generator) -> Array:
    """Draw one digit n times."""
    strokes = [np.array(points) - 0.5 for points in STROKES[digit]]
    ends = np.concatenate([np.stack([points[:-1], points[1:]], 1) for points in strokes])  # (segments, 2, xy)
    turn, slant = rng.normal(0, 0.13, n), rng.uniform(-0.25, 0.25, n)
    wide, high = rng.uniform(0.73, 1.03, (2, n))
    first = np.stack([np.cos(turn) * wide, slant - np.sin(turn) * high], -1)
    second = np.stack([np.sin(turn) * wide, np.cos(turn) * high], -1)
    points = np.einsum("nij,skj->nski", np.stack([first, second], 1), ends)
    waves = np.sin(4 * points[..., None] + rng.uniform(0, 6.28, (n, 1, 1, 2, 2)))
    points = points + (waves * rng.normal(0, 0.035, (n, 1, 1, 2, 2))).sum(-1)[..., ::-1] + 0.5
    points = points + rng.uniform(-0.07, 0.07, (n, 1, 1, 2))

    grid = (np.arange(SIDE) + 0.5) / SIDE
    pixels = np.stack(np.meshgrid(grid, grid), -1).reshape(1, 1, -1, 2)
    begin, along = points[:, :, :1], points[:, :, 1:] - points[:, :, :1]
    share = ((pixels - begin) * along).sum(-1) / ((along**2).sum(-1) + 1e-9)
    nearest = begin + share.clip(0, 1)[..., None] * along
    distance = np.sqrt(((pixels - nearest) ** 2).sum(-1)).min(1)
    ink = (1 - (distance - rng.uniform(0.028, 0.06, (n, 1))) / EDGE).clip(0, 1) * rng.uniform(0.75, 1, (n, 1))
    return np.asarray((ink * 255).round().astype(np.uint8).reshape(n, SIDE, SIDE))
