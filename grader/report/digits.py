"""A trained network on one page: curves, confusion, mistakes, weights, and a field to draw a digit in.

One HTML file that needs nothing else and asks nobody. What the student's code made goes in as numbers only: formatted
here, or as the bytes of float32 arrays.
"""

from __future__ import annotations

import base64
import html
import string
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..train import Trained

WRONG_LEAST = 40  # wrongly read digits that are shown
UNITS = 64  # units of the first layer that are shown
WIDTH, HEIGHT, EDGE, LETTERS = 420, 180, 44, 14  # of a diagram, in pixels
TEMPLATE = Path(__file__).with_name("digits.html")


def page(found: Trained) -> str:
    """The whole page."""
    images, labels = found.digits.test
    wrong = np.flatnonzero(found.guesses != labels)[:WRONG_LEAST]
    names = (("W1", "b1"), ("W2", "b2"), ("W3", "b3"))
    rows = []
    for layer, (W, b) in enumerate(zip(found.weights[::2], found.weights[1::2], strict=True)):
        n_out, n_in = W.shape
        rows.append((f"{n_in} → {n_out}", " and ".join(names[layer]), f"{n_in} · {n_out} + {n_out}", W.size + b.size))
    total = sum(row[3] for row in rows)
    filled = {
        "file": html.escape(found.file.name),
        "digits": html.escape(str(found.digits)),
        "accuracy": f"{found.accuracy:.2%}",
        "tests": f"{int(found.confusion.sum()):,}",
        "epochs": str(len(found.history)),
        "seconds": f"{found.seconds:.1f}",
        "curves": _curves(found),
        "confusion": _confusion(found.confusion),
        "wrong_count": f"{int((found.guesses != labels).sum()):,}",
        "wrong_shown": str(len(wrong)),
        "wrong": "".join(
            f'<figure><canvas class="digit" data-place="{k}" width="28" height="28"></canvas>'
            f"<figcaption>{int(labels[place])} read as <b>{int(found.guesses[place])}</b></figcaption></figure>"
            for k, place in enumerate(wrong)
        ),
        "wrong_pixels": _bytes(images[wrong]),
        "units": "".join(
            f'<canvas class="unit" data-unit="{unit}" width="28" height="28" title="unit {unit}"></canvas>'
            for unit in range(UNITS)
        ),
        "parameters": "".join(
            f"<tr><td>{shape}</td><td>{name}</td><td>{sum_}</td><td class=n>{count:,}</td></tr>"
            for shape, name, sum_, count in rows
        ),
        "total": f"{total:,}",
        "weights": ",".join(f'"{_bytes(array.astype("<f4"))}"' for array in found.weights),
    }
    return string.Template(TEMPLATE.read_text("utf-8")).substitute(filled)


def _bytes(array: np.ndarray[Any, np.dtype[Any]]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def _curves(found: Trained) -> str:
    """Losses above, validation accuracy below, as SVG."""
    epochs = [row.epoch for row in found.history]
    losses = [("training", [row.loss for row in found.history])]
    held = [row.validation_loss for row in found.history]
    shares = [row.validation_accuracy for row in found.history]
    if None not in held:
        losses.append(("validation", [value for value in held if value is not None]))
    parts = [_diagram("loss", epochs, losses)]
    if None not in shares:
        parts.append(_diagram("accuracy", epochs, [("validation", [v for v in shares if v is not None])]))
    return "".join(parts)


def _diagram(title: str, epochs: Sequence[int], lines: Sequence[tuple[str, Sequence[float]]]) -> str:
    values = [value for _name, line in lines for value in line]
    low, high = min(values), max(values)
    low, high = (low - 0.5, high + 0.5) if high - low < 1e-9 else (low, high)

    def across(place: int) -> float:
        return EDGE + 8 + (WIDTH - EDGE - 90) * place / max(len(epochs) - 1, 1)

    def up(value: float) -> float:
        return 24 + (HEIGHT - 56) * (high - value) / (high - low)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title} by epoch"><text x="4" y="14">{title}</text>'
    ]
    parts += [
        f'<line class="grid" x1="{EDGE + 4}" x2="{WIDTH - 78}" y1="{up(value):.1f}" y2="{up(value):.1f}"/>'
        f'<text class="tick" x="{EDGE}" y="{up(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>'
        for value in (low, (low + high) / 2, high)
    ]
    for place, epoch in enumerate(epochs):
        if len(epochs) <= 12 or place % (len(epochs) // 10 + 1) == 0:
            parts.append(
                f'<text class="tick" x="{across(place):.1f}" y="{HEIGHT - 14}" text-anchor="middle">{epoch}</text>'
            )
    before = 0.0
    for number, (name, line) in enumerate(lines):
        points = " ".join(f"{across(place):.1f},{up(value):.1f}" for place, value in enumerate(line))
        dots = "".join(
            f'<circle class="c{number}" cx="{across(place):.1f}" cy="{up(value):.1f}" r="2.5"><title>epoch '
            f"{epochs[place]}, {name}: {value:.4g}</title></circle>"
            for place, value in enumerate(line)
        )
        end = up(line[-1]) + 4
        if number and abs(end - before) < LETTERS:  # two names would lie on each other
            end = before + (LETTERS if end > before else -LETTERS)
        before = end
        parts.append(
            f'<polyline class="c{number}" points="{points}"/>{dots}'
            f'<text class="name c{number}" x="{WIDTH - 70}" y="{end:.1f}">{name}</text>'
        )
    return "".join([*parts, "</svg>"])


def _confusion(table: np.ndarray[Any, np.dtype[Any]]) -> str:
    """A table; the more of a row's digits, the darker."""
    head = "".join(f"<th>{digit}</th>" for digit in range(10))
    rows = []
    for digit, row in enumerate(table):
        cells = []
        for said, count in enumerate(row):
            share = float(count / max(row.sum(), 1))
            # mistakes are few: the root makes them visible
            colour = (
                f"rgba(30,120,60,{share:.3f})" if digit == said else f"rgba(200,40,30,{min(4 * share, 1) ** 0.5:.3f})"
            )
            shade = ' class="most"' if digit == said and share > 0.6 else ""
            cells.append(f'<td{shade} style="background:{colour}">{int(count) or ""}</td>')
        rows.append(f"<tr><th>{digit}</th>{''.join(cells)}<td class=n>{row[digit] / max(row.sum(), 1):.1%}</td></tr>")
    return f"<table class=confusion><tr><th></th>{head}<th>right</th></tr>{''.join(rows)}</table>"
