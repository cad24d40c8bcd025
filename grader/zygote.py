"""Forks workers from one warm process: numpy (and torch) are imported and have run once, a fork costs milliseconds.

Started by `processes.Zygote` as a program of its own, so that nothing which a grader has in memory, hidden suites above
all, is in its own; with one control socket as its only argument.
It holds no secret: everything in its memory is visible to student code. It stays single-threaded and never runs a
parallel region, because libgomp does not survive a fork.

Control messages are JSON. To the zygote: {"torch", "modules", "level", "without"} once; then {"attach"} with a further control socket,
and {"fork": job, "ceilings"} with the worker's ends of the question socket and of the output pipe. From the zygote:
{"ready", "layers", "missing"} or {"refused"}; {"forked": job} with a pidfd, or {"failed": job, "why"}; {"ended": job, "status", "seconds", "peak"}.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from .sandbox import SETUP_FAILED, Ceilings, Jail, Job
from .sandbox._libc import give_back_memory, let_go_of_files, put_pages_together

MESSAGE_LIMIT = 65536
NOBODY = -1


class Zygote:
    """The serving loop.

    Args:
        control: the first client's socket.
        jail: what every worker is put into.
        become_worker: turns a fork into a worker, see `jailed`.
    """

    def __init__(self, control: socket.socket, jail: Jail, become_worker: Callable[..., None]) -> None:
        self._jail, self._become_worker = jail, become_worker
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
        worker_job = Job(Ceilings(**message["ceilings"]), self._slots.get(client.fileno(), 0))
        try:
            self._jail.prepare(worker_job)
            pid = namespaces.fork() if namespaces else os.fork()
        except OSError as error:
            self._tell(client.fileno(), {"failed": job, "why": str(error)})
            pid = -1
        if pid == 0:
            try:
                self._become_worker(descriptors[0], descriptors[1], self._jail, worker_job, zygote)
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


def _say(control: socket.socket, message: dict[str, object]) -> None:
    """Tell whoever started us how that went; where they were stopped meanwhile, there is nothing to serve."""
    try:
        control.send(json.dumps(message).encode())
    except BrokenPipeError:
        os._exit(SETUP_FAILED)


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
            _say(control, {"refused": jail.refusal})
            os._exit(SETUP_FAILED)
        if jail.namespaces:
            jail.namespaces.enter()
        from . import jailed  # only now: the process that stays outside does without numpy

        jailed.warm_up(settings["torch"], settings["modules"])
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        why = f"{type(error).__name__}: {error}"[:1000]
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1 and not why:
        why = f"the warm process has {threads} threads instead of 1"
    if why:
        _say(control, {"failed": 0, "why": why})
        os._exit(SETUP_FAILED)
    jailed.make_ready()
    gc.collect()
    give_back_memory()
    if settings["torch"]:  # which has taken 200 MB
        put_pages_together()
    gc.freeze()
    let_go_of_files()
    _say(control, {"ready": True, "layers": jail.names, "missing": jail.missing})
    Zygote(control, jail, jailed.become_worker).serve()


if __name__ == "__main__":
    main()
