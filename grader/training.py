"""The `training` fixture: a whole training in a worker of its own, judged by what nobody but the grader has seen.

Test images and labels stay on this side. The student's code gets training data whose pixels are in another order, whose
digits have other names, and whose samples are shuffled, so that weights brought along are worth nothing. What it
returns are weights; logits and accuracy are computed here, in numpy. How much processor time it may use follows from
what the reference uses for one epoch of the same data in the same run.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from . import data, drawing
from .codec import is_tensor
from .errors import OurFault
from .remote import RemoteTransport
from .student import Student

SPARE = 5.0  # seconds of processor time beside the epochs: loading, unpacking, converting
SHIFT, SCALE = 0.1307, 0.3081  # mean and standard deviation of all training pixels, from 0 to 1
HOPELESS = 0.5  # who reads less after the first attempt is not trained longer
PACKING = 6  # gzip's effort; 60,000 images must fit into one question's head

# Of the network 784-256-128-10, in its order; they all differ, so that names do not matter.
SHAPES: list[tuple[int, ...]] = [(256, 784), (256,), (128, 256), (128,), (10, 128), (10,)]
# Of two convolutions, each with its pooling, and two dense layers; they all differ too.
IMAGE_SHAPES: list[tuple[int, ...]] = [
    (32, 1, 3, 3), (32,), (64, 32, 3, 3), (64,), (128, 3136), (128,), (10, 128), (10,),
]  # fmt: skip
TIMED_ON = 3000  # images of which the reference's epoch is measured where it is dear
AT_ONCE = 100  # images whose windows lie in memory at the same time: 23 MB of them

Array = np.ndarray[Any, np.dtype[Any]]
Place = Callable[[float], Student]  # makes a module in a worker of its own that may use so many seconds


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training.

    Attributes:
        result: what `run` returned.
        seconds: of processor time that it used.
        printed: what the student's code printed.
    """

    result: Any
    seconds: float
    printed: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How well real digits are read.

    Attributes:
        accuracy: the share of the test digits that is read, after the last attempt.
        goal: what full marks ask for.
        share: of the marks that it earns, from 0 to 1.
    """

    accuracy: float
    goal: float
    share: float


class Exam:
    """Real digits, made unknown: what is trained on can be sent, what is tested on stays here."""

    def __init__(self, digits: data.Digits, seed: int, image: bool) -> None:
        rng = np.random.default_rng(seed)
        (images, labels), (tests, answers) = digits.train, digits.test
        samples, names = rng.permutation(len(images)), rng.permutation(10).astype(np.uint8)
        self.digits = digits
        self._turned = int(rng.integers(1, 8)) if image else 0  # one of the seven other ways to lay a square
        self._pixels = np.arange(images[0].size) if image else rng.permutation(images[0].size)
        shown, said = self._hidden(images)[samples], names[labels][samples]
        self.train_images, self.train_labels = _files(shown, said)
        # An epoch of convolutions costs ten times one of dense layers, so it is measured on a part and reckoned up.
        timed = min(TIMED_ON, len(images)) if image else len(images)
        self.timed, self.timed_share = _files(shown[:timed], said[:timed]), timed / len(images)
        self._tests, self._answers = self._hidden(tests), names[answers]

    def _hidden(self, images: Array) -> Array:
        """The images as the student's code sees them."""
        moved = images.reshape(len(images), -1)[:, self._pixels].reshape(images.shape)
        turned = np.rot90(moved, self._turned % 4, (1, 2))
        return np.ascontiguousarray(turned[:, :, ::-1] if self._turned > 3 else turned)

    @property
    def full(self) -> bool:
        """Whether these are all 70,000."""
        return self.digits.full

    def accuracy(self, logits: Callable[[Array], Array]) -> float:
        """The share of the test digits for which the largest logit is the right one.

        Args:
            logits: called with normalised images, float32 (N, 1, 28, 28); returns (N, 10).
        """
        return float((guesses(logits, self._tests) == self._answers).mean())


def _files(images: Array, labels: Array) -> tuple[bytes, bytes]:
    """Images and labels as files, the images packed."""
    return gzip.compress(data.as_idx(images), PACKING, mtime=0), data.as_idx(labels)


def guesses(logits: Callable[[Array], Array], images: Array) -> Array:
    """The digit that a network says of each image (N, 28, 28) of bytes, a thousand at a time.

    Args:
        logits: called with normalised images, float32 (n, 1, 28, 28); returns (n, 10).
        images: (N, 28, 28), uint8.
    """
    parts = (images[begin : begin + 1000, None] for begin in range(0, len(images), 1000))
    return np.concatenate([logits((part.astype(np.float32) / 255 - SHIFT) / SCALE).argmax(1) for part in parts])


class Training:
    """The `training` fixture.

    Args:
        student: makes the student's module in a worker of its own.
        reference: makes the reference's.
        digits: finds the real digits.
        ended: told the state and sentence of a worker that had to be ended.
        known: what is remembered from one subject to the next, such as the reference's seconds.
    """

    def __init__(
        self,
        student: Place,
        reference: Place,
        digits: Callable[[], data.Digits],
        ended: Callable[[list[tuple[str, str]]], None],
        known: dict[Any, Any],
    ) -> None:
        self._student, self._reference, self._digits = student, reference, digits
        self._ended, self._known = ended, known

    @staticmethod
    def layers(state: Any, shapes: list[tuple[int, ...]]) -> list[Array]:
        """Pick the arrays of a returned state dict by their shapes, which must all differ, as float32.

        Raises:
            AssertionError: it is no dict of finite arrays of exactly these shapes; says what is wrong.
        """
        assert isinstance(state, dict), "the state_dict must be a dict from names to arrays"
        for name, value in state.items():
            shown = repr(str(name)[:60])
            assert not is_tensor(value), f"the state_dict's {shown} is a tensor; make it a numpy array"
            assert isinstance(value, np.ndarray), f"the state_dict's {shown} is no array"
            assert np.isfinite(value).all(), f"the weights are not finite: there are NaNs or infinities in {shown}"
        found = {value.shape: value for value in state.values()}
        assert len(found) == len(state) == len(shapes), f"the state_dict must have {len(shapes)} arrays, one a weight"
        for shape in shapes:
            assert shape in found, f"the state_dict has no array of shape {shape}"
        return [np.asarray(found[shape], np.float32) for shape in shapes]

    @classmethod
    def logits_of(cls, state: Any) -> Callable[[Array], Array]:
        """The network 784-256-128-10 with these weights, in numpy: from images (N, 1, 28, 28) to logits (N, 10)."""
        W1, b1, W2, b2, W3, b3 = cls.layers(state, SHAPES)

        def logits(images: Array) -> Array:
            hidden = np.maximum(images.reshape(len(images), -1) @ W1.T + b1, 0)
            return np.asarray(np.maximum(hidden @ W2.T + b2, 0) @ W3.T + b3)

        return logits

    @classmethod
    def image_logits_of(cls, state: Any) -> Callable[[Array], Array]:
        """The network of convolutions with these weights, in numpy: from images (N, 1, 28, 28) to logits (N, 10).

        Two times a convolution of 3 x 3 with a border of one zero, ReLU and a maximum of 2 x 2; then flattened, channel
        by channel, a dense layer with ReLU and one without.
        """
        w1, b1, w2, b2, W3, b3, W4, b4 = cls.layers(state, IMAGE_SHAPES)

        def some(images: Array) -> Array:
            maps = _stage(_stage(images.transpose(0, 2, 3, 1), w1, b1), w2, b2)
            flat = maps.transpose(0, 3, 1, 2).reshape(len(maps), W3.shape[1])
            return np.asarray(np.maximum(flat @ W3.T + b3, 0) @ W4.T + b4)

        return lambda images: np.concatenate(
            [some(images[k : k + AT_ONCE]) for k in range(0, max(len(images), 1), AT_ONCE)]
        )

    @staticmethod
    def drawn(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw digits that nobody has seen: images (n, 28, 28) and labels (n,), uint8."""
        return drawing.digits(n, int(rng.integers(2**62)))

    def exam(self, rng: np.random.Generator, *, image: bool = False) -> Exam:
        """The real digits of this machine, made unknown.

        Args:
            rng: of the test; every subject of a session gets the same exam.
            image: keep neighbours neighbours, as a convolution needs it, and only turn and mirror the images.
        """
        key = ("exam", int(rng.integers(2**62)), image)
        if key not in self._known:
            self._known[key] = Exam(self._digits(), key[1], image)
        return self._known[key]  # type: ignore[no-any-return]

    def seconds_an_epoch(self, exam: Exam) -> float:
        """Processor time of one epoch of the reference with everything around it, on this machine, in this run.

        Of an exam of images only a part is trained on; what does not grow with it is then counted more than once, in
        the student's favour.
        """
        key = ("seconds", id(exam))
        if key not in self._known:
            # `known` keeps the exam too, so its id stays its own
            made = self._alone(self._reference(1e6), *exam.timed, 1)
            self._known[key] = made.seconds / exam.timed_share
        return self._known[key]  # type: ignore[no-any-return]

    def run(self, exam: Exam, epochs: int, *, times: float) -> Trained:
        """Have the student's `run` train on an exam's data, within `times` the reference's processor time.

        Raises:
            StudentError: it did not come back, or raised what no builtin exception stands for.
        """
        most = float(math.ceil(times * epochs * self.seconds_an_epoch(exam) + SPARE))
        return self._alone(self._student(most), exam.train_images, exam.train_labels, epochs)

    def reading(
        self, exam: Exam, plan: tuple[Any, ...], *, times: float, logits_of: Callable[[Any], Callable[[Array], Array]],
        tell: Callable[[str], None],
    ) -> Reading:  # fmt: skip
        """Train until the digits are read as well as asked for, or no attempt is left.

        Args:
            exam: the digits.
            plan: the epochs of each attempt, then the accuracy for full marks and the one for none.
            times: see `run`.
            logits_of: makes the network of a state dict, as `logits_of` and `image_logits_of` do.
            tell: keeps what every attempt came to.

        Raises:
            AssertionError: what came back is no network; says what is wrong.
            StudentError: as `run`.
        """
        __tracebackhide__ = True
        *attempts, goal, nothing = plan
        accuracy = 0.0
        for epochs in attempts:
            made = self.run(exam, epochs, times=times)
            assert isinstance(made.result, dict), "run returns a dict"
            accuracy = exam.accuracy(logits_of(made.result.get("state_dict")))
            tell(
                f"{accuracy:.2%} of the test digits after {epochs} epochs on {exam.digits.described}; {made.seconds:.1f} s "
                f"of processor time, the reference needs {self.seconds_an_epoch(exam):.1f} s for one epoch."
            )
            if accuracy >= goal or accuracy < HOPELESS:
                break
        return Reading(accuracy, goal, min(max((accuracy - nothing) / (goal - nothing), 0.0), 1.0))

    def alone(self, images: bytes, labels: bytes, epochs: int, *, seconds: float = 10.0, **options: Any) -> Trained:
        """Have the student's `run` train on other data in a worker of its own."""
        return self._alone(self._student(seconds), images, labels, epochs, **options)

    def _alone(self, module: Student, images: bytes, labels: bytes, epochs: int, **options: Any) -> Trained:
        __tracebackhide__ = True
        transport = module.transport
        if not isinstance(transport, RemoteTransport):
            raise OurFault("A training is measured in a worker; this module runs in the grader's own process.")
        module.begin_test(0)
        try:
            result = module.run(images, labels, epochs=epochs, **options)
            seconds = transport.cpu()
        finally:
            transport.close()
            self._ended(transport.ends)
        return Trained(result, seconds, transport.printed)


def _stage(images: Array, w: Array, b: Array) -> Array:
    """A convolution, ReLU and pooling: from (N, H, W, C) to (N, H/2, W/2, O), with w (O, C, 3, 3) and b (O,).

    The channels come last: pooling then goes along them, and every window is one row of a matrix product.
    """
    n, height, width, _ = images.shape
    windows = sliding_window_view(np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0))), (3, 3), (1, 2))
    sums = windows.reshape(n * height * width, w[0].size) @ w.reshape(len(w), -1).T
    # ReLU and the bias, the same for all four, may come after the maximum: there is a quarter left of the numbers.
    pooled = sums.reshape(n, height // 2, 2, width // 2, 2, len(w)).max((2, 4))
    return np.asarray(np.maximum(pooled + b, 0))
