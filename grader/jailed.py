"""What a worker does before and around the questions: it takes its place behind the lid, reads, answers, writes.

Imported when the zygote stands in its namespaces, so that numpy is in the memory of one process less.
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import importlib
import io
import os
import signal
import sys

from . import channel, codec, worker
from .errors import ProtocolError
from .sandbox import SETUP_FAILED, Jail, Job

WORKER_SOCKET = 3
NUMPY_PARTS = (
    "numpy.fft", "numpy.lib.stride_tricks", "numpy.linalg", "numpy.ma", "numpy.polynomial", "numpy.random",
    "numpy.testing", "numpy.typing",
)  # fmt: skip
TORCH_PARTS = ("torch._decomp.decompositions_for_jvp", "torch.nn.utils.prune")  # imported when they are first used
ENCODINGS = ("ascii", "latin-1", "utf-16", "utf-32", "utf-8-sig", "idna", "unicode_escape")


def become_worker(questions: int, output: int, jail: Jail, job: Job, parent: int) -> None:
    """Turn the forked process into a jailed worker and serve until the grader closes the channel."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    # Descriptors may lie below 4 already: bring them out of the way before they are put in their places.
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, WORKER_SOCKET + 1) for descriptor in (nothing, output, questions)]
    for descriptor, place in ((high[0], 0), (high[1], 1), (high[1], 2), (high[2], WORKER_SOCKET)):
        os.dup2(descriptor, place)
    sys.stderr = sys.stdout
    most = os.sysconf("SC_OPEN_MAX")  # asked now: the limits lower it, and what is open above would stay open
    jail.apply(job, last=lambda: os.closerange(WORKER_SOCKET + 1, most))
    if os.getppid() not in (parent, 0):  # 0: the parent is outside of a namespace of ours
        os._exit(SETUP_FAILED)  # the zygote died before the worker was tied to it
    write([*codec.Encoder().frame(["hello", jail.names])])
    try:
        serve()
    except ProtocolError:
        os._exit(SETUP_FAILED)


def make_ready() -> None:
    """Make what every worker needs once: its streams, whose descriptors each puts into place, and no environment."""
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for as long as the process lives
    sys.stdout = open(1, "w", buffering=1, closefd=False, encoding="utf-8", errors="replace")  # noqa: SIM115
    os.environ.clear()


def serve() -> None:
    """Answer the grader's questions until it closes the channel."""
    worker.serve(channel.ReadAhead(_fill), write)


def write(parts: list[codec.Buffer]) -> None:
    """Write every part to the grader."""
    channel.write(parts, lambda views: os.writev(WORKER_SOCKET, views))


def _fill(places: list[memoryview]) -> int:
    return os.readv(WORKER_SOCKET, places) or os._exit(0)  # nothing to read: the grader has closed the channel


def warm_up(torch_too: bool, modules: list[str]) -> None:
    """Import what sections may use and run it once: lazy imports would otherwise be paid by every worker."""
    # Behind the lid nothing can be imported any more: what a submission may name is here already.
    for name in (*modules, *NUMPY_PARTS):
        importlib.import_module(name)
    exec("from numpy import *", {})  # noqa: S102 - brings every part that numpy itself would import late
    for encoding in ENCODINGS:
        codecs.lookup(encoding)
    worker.warm_up()
    if not torch_too:
        return
    import torch

    for name in TORCH_PARTS:
        with contextlib.suppress(ModuleNotFoundError):  # not every version has every part
            importlib.import_module(name)
    torch.set_num_threads(1)
    weight = torch.zeros(2, 2, requires_grad=True)
    # The first optimizer of a process imports 800 modules; a first backward starts no thread on a CPU.
    optimizer = torch.optim.Adam([weight])
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.Dropout(0.5))
    torch.nn.functional.cross_entropy(model(weight), torch.tensor([0, 1])).backward()
    optimizer.step()
    torch.nn.utils.skip_init(torch.nn.Linear, 2, 2)  # the first tensor on the device meta
    torch.nn.functional.conv2d(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 3, 3))
    torch.func.grad(lambda x: x.sum())(torch.ones(2))
    str(torch.zeros(2))
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    model.load_state_dict(torch.load(file))
