"""`nnkit train`: the student's own network of the final assignment, trained on the best digits this machine has.

The training runs in a child, whose lines are shown as they come. What comes back are weights and a history; both are
taken for nothing but numbers. The test images never leave this side.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import codec, course, data, workspace
from .compare import is_tensor
from .environment import ONE_THREAD
from .errors import AskedWrongly, OurFault, ProtocolError
from .training import SHAPES, Training, guesses

MAIN = "nnkit.grader.train_session"
HELD_OUT = 12  # one image in so many is for validation
PAGE = "digits.html"

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Epoch:
    """One row of the history, checked."""

    epoch: int
    loss: float
    validation_loss: float | None
    validation_accuracy: float | None


@dataclass(frozen=True, slots=True)
class Trained:
    """A network that was trained, and what it makes of the test digits.

    Attributes:
        file: the student's file.
        digits: what it was trained and tested on.
        history: one row an epoch.
        weights: W1, b1, W2, b2, W3, b3, float32.
        confusion: (10, 10), rows are the truth.
        guesses: what was said of every test image.
        seconds: processor time of the training.
    """

    file: Path
    digits: data.Digits
    history: tuple[Epoch, ...]
    weights: tuple[Array, ...]
    confusion: Array
    guesses: Array
    seconds: float

    @property
    def accuracy(self) -> float:
        """The share of the test digits that were read rightly."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        rows = [
            {"epoch": row.epoch, "loss": row.loss, "validation_accuracy": row.validation_accuracy}
            for row in self.history
        ]
        return {
            "file": str(self.file),
            "full": self.digits.full,
            "data": str(self.digits.place),
            "accuracy": self.accuracy,
            "seconds": round(self.seconds, 2),
            "history": rows,
            "confusion": self.confusion.tolist(),
        }


def section_with_digits() -> course.Section:
    """The section that the digits belong to: its folder has them."""
    return course.read(data.subset().place)


def train(start: Path, *, epochs: int = 10, seed: int = 0) -> Trained:
    """Train the student's network and measure it.

    Args:
        start: where the person stands.
        epochs: how many.
        seed: passed on to `run`.

    Raises:
        WorkspaceError: the student's file is not there.
        AskedWrongly: its `run` does not work, or what it returns is no network; says why.
    """
    if epochs < 1:
        raise AskedWrongly(f"--epochs is {epochs}; at least one is needed.")
    section = section_with_digits()
    file = workspace.find(section, start).absolute()
    digits = data.find()
    images = len(digits.files[1]) - 8
    print(f"Training on {digits}.", file=sys.stderr, flush=True)
    order = {
        "section": section.number, "file": str(file), "data": str(digits.place),
        "epochs": epochs, "seed": seed, "validation": images // HELD_OUT,
    }  # fmt: skip
    told = _ask(order)
    for key, kind in (("wrong", OurFault), ("failed", AskedWrongly)):
        if key in told:
            raise kind(f"{workspace.shown(file)}: {str(told[key])[:500]}")
    return _measured(file, digits, told)


def _ask(order: dict[str, Any]) -> dict[str, Any]:
    """Start the child, show what it prints, and return what it says."""
    command = [sys.executable, "-P", "-m", MAIN, json.dumps(order)]
    environment = {**os.environ, **ONE_THREAD}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        try:
            raw = child.stdout.read()
        finally:
            child.kill()
    try:
        told = codec.value_of(raw)
    except ProtocolError:
        told = None
    if not isinstance(told, dict):
        raise AskedWrongly(
            f"{order['file']}: its run ended the whole process; run `nnkit check {order['section']}` first."
        )
    return told


def _measured(file: Path, digits: data.Digits, told: dict[str, Any]) -> Trained:
    try:
        weights = Training.layers(told["state_dict"], SHAPES)
        history = tuple(map(_row, told["history"] if isinstance(told["history"], list) else [None]))
        logits = Training.logits_of(told["state_dict"])
    except AssertionError as error:
        raise AskedWrongly(f"{workspace.shown(file)}: {error}") from None
    images, labels = digits.test
    said = guesses(logits, images)
    confusion = np.bincount(10 * labels.astype(np.int64) + said, minlength=100).reshape(10, 10)
    return Trained(file, digits, history, tuple(weights), confusion, said, float(told["seconds"]))


def _row(row: Any) -> Epoch:
    assert isinstance(row, dict), "the history must be a list of dicts"
    numbers: dict[str, float | None] = {}
    for key in ("epoch", "loss", "validation_loss", "validation_accuracy"):
        value = row.get(key)
        plain = isinstance(value, int | float | np.number) and not isinstance(value, bool) and not is_tensor(value)
        assert value is None or (plain and math.isfinite(value)), f"the history's {key} must be a finite number"
        numbers[key] = None if value is None else float(value)
    epoch, loss = numbers["epoch"], numbers["loss"]
    assert epoch is not None, "a row of the history lacks epoch"
    assert loss is not None, "a row of the history lacks loss"
    return Epoch(int(epoch), loss, numbers["validation_loss"], numbers["validation_accuracy"])
