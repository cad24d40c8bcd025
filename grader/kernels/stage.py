"""One worker whose kernels run on a device, timed from here: by this process's clock, in this process's memory.

Inputs and outputs lie in memory on the device that this process has allocated; the worker has only opened it. The clock
starts before the inputs are copied there, and stops when the outputs have been copied away and both copies are waited
for, so nothing can be computed ahead, and what is not there by then is not part of the answer.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import torch

from ..cores import claimed
from ..errors import OurFault
from ..student import Student, StudentError
from ..transport import Files
from . import aboard, pinned
from .aboard import Region
from .rounding import kind_of
from .sides import Sample, Side

UNWRITTEN = 0xFF  # of every byte before a call: not a number, of whatever kind
BUSY = 2.0  # times what it takes to overwrite the cache: then the device is still at work for somebody
LONGEST_REST = 5.0  # seconds that work left behind is waited for
WAYS = 5  # empty calls, of which the median is what sending costs
QUIET = 8  # times of overwriting the cache, to know what it takes
POLLED = 0.05  # seconds between two looks at whether the device is free
QUEUE_SECONDS = 600.0  # that a comparison waits for others on the same device
CLAIM = "nnkit-timing-device"
START, ABOARD, DEVICE, KERNELS = "nnkit_start", "nnkit_aboard", "nnkit_device", "nnkit_pinned"
AVAILABLE = (
    "__future__", "collections", "ctypes", "dataclasses", "functools", "itertools", "math", "numpy", "subprocess", "time",
    "torch", "triton", "types", "typing",
)  # fmt: skip

Step = tuple[str, tuple[int, ...], tuple[Any, ...]]
Shapes = Callable[[str], list[tuple[str, tuple[int, ...]]]]


@dataclass(frozen=True, slots=True)
class Work:
    """What one call is, for both sides.

    Attributes:
        theirs: the student's functions, one after the other: name, places of the tensors, further arguments.
        chosen: which of the inputs and of all that was returned are the outputs.
        ours: the same for torch's.
        ours_chosen: the same.
        shapes: from the kind of number of the inputs, kind and shape of every output.
    """

    theirs: tuple[Step, ...]
    chosen: tuple[int, ...]
    ours: tuple[Step, ...]
    ours_chosen: tuple[int, ...]
    shapes: Shapes


def files_of(sources: dict[str, bytes], stem: str, section: str, device: ModuleType) -> Files:
    """A student's files, with what calls them on the device."""
    return _boarded(sources, stem, section, device)


def our_files(section: str, device: ModuleType) -> Files:
    """Torch's own kernels, called the same way."""
    return _boarded({f"{KERNELS}.py": _text(pinned)}, KERNELS, section, device)


def _boarded(sources: dict[str, bytes], stem: str, section: str, device: ModuleType) -> Files:
    start = (
        f"import {stem} as kernels\nimport {DEVICE} as device\nfrom {ABOARD} import Bench\nbench = Bench(kernels, device)\n"
        + "".join(f"{name} = bench.{name}\n" for name in ("open", "lay", "call", "nothing", "alive"))
    )
    ours = {f"{START}.py": start.encode(), f"{ABOARD}.py": _text(aboard), f"{DEVICE}.py": _text(device)}
    return Files({**sources, **ours}, START, section, AVAILABLE)


def _text(module: ModuleType) -> bytes:
    assert module.__file__ is not None
    return Path(module.__file__).read_bytes()


class Stage:
    """The device as this process sees it: memory that a side may open, a cache to overwrite, a time to wait.

    Args:
        device: its few calls.
    """

    def __init__(self, device: Any) -> None:
        self.device = device
        self._flushed, _handle = device.allocate(device.FLUSHED)
        self._usual = min(self.flush() for _ in range(QUIET))

    @property
    def ground(self) -> torch.device:
        """Where its tensors lie."""
        return self._flushed.device

    def flush(self) -> float:
        """Overwrite the device's cache; return the seconds it took."""
        start = self.device.clock()
        self._flushed.add_(1)
        self.device.synchronize()
        return float(self.device.clock() - start)

    def rest(self) -> float:
        """Wait until the device does nothing else; return how long that took.

        Raises:
            StudentError: it does not end.
        """
        start = self.device.clock()
        if self.flush() <= BUSY * self._usual:
            return 0.0
        while self.flush() > BUSY * self._usual:
            if self.device.clock() - start > LONGEST_REST:
                raise StudentError(f"The device is still at work {LONGEST_REST:g} s after the answer.")
        return float(self.device.clock() - start)

    def peak(self, kind: str) -> tuple[float, float]:
        """Operations and bytes per second, as the fastest of some matrix products and of some copies reach them."""
        side, size = self.device.PRODUCT, self._flushed.numel()
        one = torch.ones((side, side), dtype=getattr(torch, kind), device=self.ground)
        other, target = torch.ones_like(one), torch.empty_like(self._flushed)
        operations = 2.0 * side**3 / min(self._seconds(lambda: one @ other) for _ in range(QUIET))
        return operations, 2.0 * size / min(self._seconds(lambda: target.copy_(self._flushed)) for _ in range(QUIET))

    def _seconds(self, action: Callable[[], object]) -> float:
        start = self.device.clock()
        action()
        self.device.synchronize()
        return max(float(self.device.clock() - start), 1e-9)

    def close(self) -> None:
        """Give the memory back."""
        self.device.release(self._flushed)


class DeviceSide(Side):
    """One side of a comparison on a device.

    Args:
        module: the code aboard, in a worker of its own.
        stage: the device as this process sees it.
        ours: whether it is torch's.
        freezes: whether the process is stopped between calls; for tests that show what that is for.
        poisons: whether the outputs are overwritten before every call; the same.
    """

    def __init__(
        self, module: Student, stage: Stage, *, ours: bool, freezes: bool = True, poisons: bool = True
    ) -> None:
        super().__init__(module, freezes=freezes)
        self._stage, self._ours, self._poisons = stage, ours, poisons
        self._device = stage.device
        self._memory: list[torch.Tensor] = []
        self._outgrown: list[torch.Tensor] = []  # which the worker may still have open
        self._regions: tuple[list[Region], list[Region]] = ([], [])

    def call(self, run: Any, inputs: tuple[Any, ...]) -> Sample:
        """Run once on tensors of this process's, which the worker has not seen before the clock starts.

        Args:
            run: called as run(module, steps, places of the outputs).
            inputs: a question of `tracks`, and its tensors.
        """
        question, *tensors = inputs
        work: Work = question.work
        steps, chosen = (work.ours, work.ours_chosen) if self._ours else (work.theirs, work.chosen)
        self._lay(tensors, work.shapes(kind_of(tensors[0])))
        plain = [[name, list(places), list(others)] for name, places, others in steps]
        return self._called(tensors, lambda: run(self.module, plain, list(chosen)))

    def way(self, inputs: tuple[Any, ...], answer: Any) -> float:  # noqa: ARG002 - outputs are as large as laid out
        """Seconds that a call costs whatever it computes."""
        _question, *tensors = inputs
        return median(self._called(tensors, self.module.nothing).seconds for _ in range(WAYS))

    def close(self) -> None:
        """Give the memory back, once the worker is gone."""
        for words in [*self._memory, *self._outgrown]:
            self._device.release(words)
        self._memory, self._outgrown = [], []

    def _called(self, inputs: Sequence[torch.Tensor], question: Callable[[], object]) -> Sample:
        given, taken = self._memory
        targets, sources = aboard.views(given, self._regions[0]), aboard.views(taken, self._regions[1])
        if self._poisons:
            taken.fill_(UNWRITTEN)
        self._stage.flush()
        with self.module.unwatched():
            self.release()
            start = self._device.clock()
            for target, tensor in zip(targets, inputs, strict=True):
                target.copy_(tensor)
            self._device.synchronize()
            self._ask(question)
            answer = [source.clone() for source in sources]
            self._device.synchronize()
            seconds = self._device.clock() - start
            self.freeze()
        seconds += self._stage.rest()
        return Sample(seconds, seconds, 0.0, answer)

    def _ask(self, question: Callable[[], object]) -> None:
        """Ask the worker. What breaks its context on the device ends it: nothing works there any more."""
        try:
            question()
        except (StudentError, OurFault):
            raise
        except Exception as error:
            if not self._still_works():
                text = " ".join(str(error).split())[:300]
                self.transport.ends.append(("crashed", f"It broke its context on the device: {text}"))
                self.transport.close()
                if self._ours:
                    raise OurFault(f"The reference broke its context on the device: {text}") from None
                raise StudentError(f"The kernel broke its context on the device: {text}") from None
            raise

    def _still_works(self) -> bool:
        try:
            return self.module.alive() is True
        except Exception:  # noqa: BLE001 - whatever it raises, it does not work
            return False

    def _lay(self, inputs: Sequence[torch.Tensor], outputs: list[tuple[str, tuple[int, ...]]]) -> None:
        """Have memory of the right size opened, and say what lies where."""
        given: list[Region] = [(kind_of(tensor), tuple(tensor.shape), _is_last(tensor)) for tensor in inputs]
        taken: list[Region] = [(kind, shape, False) for kind, shape in outputs]
        if (given, taken) == self._regions:
            return
        sizes = [max(aboard.places(regions)[1], aboard.ALIGNED) for regions in (given, taken)]
        with self.module.unwatched():
            self.release()
            if not self._fits(sizes):
                self._outgrown += self._memory
                made = [self._device.allocate(size) for size in sizes]
                self._memory = [words for words, _handle in made]
                arguments = [what for words, handle in made for what in (handle, words.numel())]
                self.module.open(*arguments)
            self.module.lay(*([list(map(list, regions)) for regions in (given, taken)]))
        self._regions = given, taken

    def _fits(self, sizes: list[int]) -> bool:
        return len(self._memory) == len(sizes) and all(
            words.numel() >= size for words, size in zip(self._memory, sizes, strict=True)
        )


def _is_last(tensor: torch.Tensor) -> bool:
    """Whether channels lie next to each other."""
    return tensor.ndim == 4 and not tensor.is_contiguous() and tensor.is_contiguous(memory_format=torch.channels_last)


@contextlib.contextmanager
def own_device() -> Iterator[None]:
    """The device for one comparison at a time: the others on this machine wait.

    Raises:
        OurFault: it is not free for a long time.
    """
    deadline = time.monotonic() + QUEUE_SECONDS
    while True:
        with claimed(CLAIM) as ours:
            if ours:
                yield
                return
        if time.monotonic() > deadline:
            raise OurFault(f"The device was in use by others for {QUEUE_SECONDS:.0f} s.")
        time.sleep(POLLED)
