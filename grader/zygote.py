"""Forks workers from one warm process: numpy (and torch) are imported and have run once, a fork costs milliseconds.

Started clean by `processes.Zygote`, before any hidden suite is read, with one control socket as its only argument.
It holds no secret: everything in its memory is visible to student code. It stays single-threaded and never runs a
parallel region, because libgomp does not survive a fork.

Control messages are JSON. To the zygote: {"torch", "modules", "level", "without"} once; then {"attach"} with a further control socket,
and {"fork": job, "ceilings"} with the worker's ends of the question socket and of the output pipe. From the zygote:
{"ready", "layers", "missing"} or {"refused"}; {"forked": job} with a pidfd, or {"failed": job, "why"}; {"ended": job, "status", "seconds", "peak"}.
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import gc
import importlib
import io
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

from . import channel, codec, worker
from .errors import ProtocolError
from .sandbox import Ceilings, Jail, Job

MESSAGE_LIMIT = 65536
WORKER_SOCKET = 3
SETUP_FAILED = 70
NUMPY_PARTS = (
    "numpy.fft", "numpy.lib.stride_tricks", "numpy.linalg", "numpy.ma", "numpy.polynomial", "numpy.random",
    "numpy.testing", "numpy.typing",
)  # fmt: skip
ENCODINGS = ("ascii", "latin-1", "utf-16", "utf-32", "utf-8-sig", "idna", "unicode_escape")
NOBODY = -1


class Zygote:
    """The serving loop."""

    def __init__(self, control: socket.socket, jail: Jail) -> None:
        self._jail = jail
        self._clients = {control.fileno(): control}
        self._slots: dict[int, int] = {}  # client: slot, the lowest that is free
        self._first = control.fileno()
        self._running: dict[int, tuple[int, int]] = {}  # pid: (client, job)
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._bell, ring = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._poll.register(self._bell, select.POLLIN)

    def serve(self) -> NoReturn:
        """Serve until the first control socket closes; then end every worker and leave."""
        while True:
            for descriptor, _event in self._poll.poll():
                if descriptor == self._bell:
                    os.read(self._bell, 4096)
                    self._reap()
                elif descriptor in self._clients:
                    self._listen(self._clients[descriptor])

    def _listen(self, client: socket.socket) -> None:
        try:
            text, descriptors, _flags, _address = socket.recv_fds(client, MESSAGE_LIMIT, 4)
        except ConnectionError:
            text, descriptors = b"", []
        if not text:
            self._dismiss(client)
            return
        message = json.loads(text)
        if "attach" in message:
            newcomer = socket.socket(fileno=descriptors[0])
            self._clients[newcomer.fileno()] = newcomer
            self._slots[newcomer.fileno()] = min(set(range(len(self._slots) + 1)) - set(self._slots.values()))
            self._poll.register(newcomer, select.POLLIN)
        else:
            self._fork(client, message, descriptors)

    def _dismiss(self, client: socket.socket) -> None:
        gone = client.fileno()
        for pid, (owner, job) in self._running.items():
            if gone in (owner, self._first):
                os.kill(pid, signal.SIGKILL)
                self._running[pid] = (NOBODY, job)  # the next client may get the same descriptor
        if gone == self._first:
            for pid in self._running:
                os.waitpid(pid, 0)
            self._jail.close()
            os._exit(0)
        self._slots.pop(gone, None)
        self._poll.unregister(client)
        del self._clients[gone]
        client.close()

    def _reap(self) -> None:
        while self._running:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            if pid not in self._running:
                continue  # left behind in our process namespace by a worker that has ended
            owner, job = self._running.pop(pid)
            message = {
                "ended": job,
                "status": os.waitstatus_to_exitcode(status),
                "seconds": usage.ru_utime + usage.ru_stime,
                "peak": usage.ru_maxrss * 1024,
            }
            self._tell(owner, message)

    def _tell(self, owner: int, message: dict[str, Any], descriptors: tuple[int, ...] = ()) -> None:
        if owner in self._clients:
            # A client that is gone is no matter: its closed socket is the next thing the poll reports.
            with contextlib.suppress(ConnectionError):
                socket.send_fds(self._clients[owner], [json.dumps(message).encode()], descriptors)

    def _fork(self, client: socket.socket, message: dict[str, Any], descriptors: list[int]) -> None:
        job, zygote = message["fork"], os.getpid()
        namespaces = self._jail.namespaces
        try:
            pid = namespaces.fork() if namespaces else os.fork()
        except OSError as error:
            self._tell(client.fileno(), {"failed": job, "why": str(error)})
            pid = -1
        if pid == 0:
            try:
                slot = self._slots.get(client.fileno(), 0)
                worker_job = Job(Ceilings(**message["ceilings"]), slot)
                become_worker(descriptors[0], descriptors[1], self._jail, worker_job, zygote)
            except BaseException as error:  # noqa: BLE001 - nothing may come back from here into the zygote's loop
                os.write(2, f"the worker could not be set up: {error!r}\n".encode())
            finally:
                os._exit(SETUP_FAILED)
        for descriptor in descriptors:
            os.close(descriptor)
        if pid > 0:
            self._running[pid] = (client.fileno(), job)
            handle = os.pidfd_open(pid)
            self._tell(client.fileno(), {"forked": job}, (handle,))
            os.close(handle)


def become_worker(questions: int, output: int, jail: Jail, job: Job, parent: int) -> None:
    """Turn the forked process into a jailed worker and serve until the grader closes the channel."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    # Descriptors may lie below 4 already: bring them out of the way before they are put in their places.
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, WORKER_SOCKET + 1) for descriptor in (nothing, output, questions)]
    for descriptor, place in ((high[0], 0), (high[1], 1), (high[1], 2), (high[2], WORKER_SOCKET)):
        os.dup2(descriptor, place)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for as long as the process lives
    sys.stdout = sys.stderr = open(1, "w", buffering=1, closefd=False, encoding="utf-8", errors="replace")  # noqa: SIM115
    os.environ.clear()
    most = os.sysconf("SC_OPEN_MAX")  # asked now: the limits lower it, and what is open above would stay open
    jail.apply(job, last=lambda: os.closerange(WORKER_SOCKET + 1, most))
    if os.getppid() not in (parent, 0):  # 0: the parent is outside of a namespace of ours
        os._exit(SETUP_FAILED)  # the zygote died before the worker was tied to it
    write([*codec.Encoder().frame(["hello", jail.names])])
    try:
        serve()
    except ProtocolError:
        os._exit(SETUP_FAILED)


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

    torch.set_num_threads(1)
    weight = torch.zeros(2, 2, requires_grad=True)
    # The first optimizer of a process imports 800 modules; a first backward starts no thread on a CPU.
    optimizer = torch.optim.Adam([weight])
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.Dropout(0.5))
    torch.nn.functional.cross_entropy(model(weight), torch.tensor([0, 1])).backward()
    optimizer.step()
    torch.nn.functional.conv2d(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 3, 3))
    torch.func.grad(lambda x: x.sum())(torch.ones(2))
    str(torch.zeros(2))
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    model.load_state_dict(torch.load(file))


def main() -> NoReturn:
    """Warm up, say so, serve."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    settings = json.loads(control.recv(MESSAGE_LIMIT))
    with contextlib.suppress(OSError):  # some containers forbid it; the limits on each worker still hold
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")  # when memory runs out, workers go first
    why = ""
    try:
        jail = Jail(settings["level"], tuple(settings["without"]))
        if jail.refusal:
            control.send(json.dumps({"refused": jail.refusal}).encode())
            os._exit(SETUP_FAILED)
        if jail.namespaces:
            jail.namespaces.enter()
        warm_up(settings["torch"], settings["modules"])
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        why = f"{type(error).__name__}: {error}"[:1000]
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1 and not why:
        why = f"the warm process has {threads} threads instead of 1"
    if why:
        control.send(json.dumps({"failed": 0, "why": why}).encode())
        os._exit(SETUP_FAILED)
    gc.collect()
    gc.freeze()
    control.send(json.dumps({"ready": True, "layers": jail.names, "missing": jail.missing}).encode())
    Zygote(control, jail).serve()


if __name__ == "__main__":
    main()
