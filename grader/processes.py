"""The trusted side of the zygote: start one, fork workers, ask them, watch their clocks, end them.

Only Linux has what this needs (pidfds, another process's CPU clock); students' own checks do not come through here.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import channel, codec
from .cores import bring_along
from .environment import ONE_THREAD
from .errors import NoIsolation, OurFault, ProtocolError, WorkerEnded
from .sandbox import Ceilings, Level
from .transport import CallBack, Frame

READY_SECONDS = 120.0
FORK_SECONDS = 60.0
FAREWELL_SECONDS = 1.0
OUTPUT_KEPT = 64 << 10
OUTPUT_AT_ONCE = 64  # readings of what a worker prints before its deadline is looked at again
CALL_BACKS = 20_000
SOCKET_BUFFER = 1 << 20
NOT_ASKED = "The answer belongs to another question."
SCRATCH = "nnkit-scratch-"
SOLUTIONS = Path(__file__).parents[1] / "solutions"
# By default glibc gives large blocks back to the system and gets them anew, page by page: a convolution of a
# millisecond then takes ten, or not, as the calls before it happened to be. And every worker's time is measured.
STEADY_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(512 << 20),  # zeros beyond that cost nothing until they are written to
    "MALLOC_TRIM_THRESHOLD_": str(4 << 30),
}


def _environment() -> dict[str, str]:
    """What a process starts with in which student code is to run: nothing of the user's but where modules are."""
    path = os.pathsep.join(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    found = {**ONE_THREAD, **STEADY_MEMORY, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
    return found | ({"PYTHONPATH": path} if path else {})


class ZygoteGone(OurFault):
    """The process that forks workers ended; the job in hand is to be done again with a new one."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one question may take, in seconds."""

    cpu: float  # of the worker's own processor time
    wall: float  # on the clock; generous, because an honest student must not suffer from a busy machine


class Zygote:
    """A running zygote.

    Args:
        torch: whether torch is warm in it.
        modules: further modules that submissions may import.
        level: of isolation, see `sandbox.Jail`.
        without: layers to leave out, for tests.
    """

    def __init__(
        self, torch: bool, modules: Iterable[str] = (), level: Level = "strict", without: tuple[str, ...] = ()
    ) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-B", "-m", "nnkit.grader.zygote", str(theirs.fileno())],
            env=_environment(),
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # Ctrl-C in the terminal is for us; the zygote ends when we close its socket
        )
        theirs.close()
        self._control = ours
        self._settings = {"torch": torch, "modules": sorted(modules), "level": level, "without": without}
        self.missing: dict[str, str] = {}  # layers that do not work here, each with the reason
        self._ready = False
        ours.send(json.dumps(self._settings).encode())

    @property
    def pid(self) -> int:
        """Its process number, for measurements."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Wait for the warm-up. Raises OurFault when it fails."""
        if self._ready:
            return
        self._control.settimeout(READY_SECONDS)
        try:
            message = json.loads(self._control.recv(65536) or b"{}")
        except TimeoutError:
            message = {"why": f"it was not ready after {READY_SECONDS:.0f} s"}
        except ConnectionError:
            message = {}
        if "refused" in message:
            self.close()
            raise NoIsolation(
                f"Isolation at level {self._settings['level']} is not possible on this machine: {message['refused']}. "
                "`nnkit doctor` shows what is missing and how to get it."
            )
        if "ready" not in message:
            self.close()
            raise OurFault(f"The process that starts workers did not come up: {message.get('why', 'it ended')}.")
        self._control.settimeout(None)
        self.missing = message["missing"]
        self._ready = True

    @property
    def alive(self) -> bool:
        """Whether it is still there."""
        return self._process.poll() is None

    def client(self) -> Client:
        """Return a new connection; each process that grades has its own.

        Raises:
            ZygoteGone: the zygote is no longer there.
        """
        self.wait_until_ready()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            socket.send_fds(self._control, [b'{"attach": true}'], [theirs.fileno()])
        except OSError as error:
            ours.close()
            raise ZygoteGone(f"The process that starts workers is gone: {error}.") from None
        finally:
            theirs.close()
        return Client(ours)

    def forget(self) -> None:
        """Close what a fork left behind: the zygote ends when the last copy is closed."""
        self._control.close()

    def close(self) -> None:
        """End the zygote and every worker of it."""
        self._control.close()
        if not self._ready:
            self._process.kill()  # it listens only when it is warm, which takes torch seconds, and has no worker yet
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Client:
    """Orders workers from a zygote. One order may run ahead: the next worker is made while the last is in use."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._control.settimeout(FORK_SECONDS)
        self._last = 0
        self._ordered: Process | None = None
        # What the zygote tells about one worker may arrive while another one's news is waited for.
        self._forked: dict[int, int] = {}  # job: pidfd
        self._failed: dict[int, str] = {}
        self._ended: dict[int, dict[str, Any]] = {}
        self.gone = False  # whether the zygote has ended

    def order(self, ceilings: Ceilings) -> None:
        """Ask for a worker without waiting for it."""
        if self._ordered is None:
            self._ordered = self._request(ceilings)

    def fork(self, ceilings: Ceilings) -> Process:
        """Return a fresh worker: the ordered one if it fits, otherwise a new one.

        Raises:
            ZygoteGone: the zygote is no longer there.
        """
        process = self._ordered
        if process is not None and process.ceilings == ceilings:
            self._ordered = None
        else:
            process = self._request(ceilings)
        try:
            process.meet()
        except OurFault:
            process.abandon()
            raise
        bring_along(process.pid)
        return process

    def _request(self, ceilings: Ceilings) -> Process:
        self._last += 1
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)
        output, ink = os.pipe2(os.O_CLOEXEC)
        message = json.dumps({"fork": self._last, "ceilings": asdict(ceilings)}).encode()
        try:
            socket.send_fds(self._control, [message], [theirs.fileno(), ink])
        except OSError as error:
            ours.close()
            os.close(output)
            self.gone = True
            raise ZygoteGone(f"The process that starts workers is gone: {error}.") from None
        finally:
            theirs.close()
            os.close(ink)
        return Process(self, self._last, ours.detach(), output, ceilings)

    def await_fork(self, job: int) -> int:
        """Wait until the worker of a job is there; return its pidfd."""
        while job not in self._forked:
            if job in self._failed:
                raise OurFault(f"A worker could not be started: {self._failed.pop(job)}.")
            self._receive()
        return self._forked.pop(job)

    def await_end(self, job: int) -> dict[str, Any]:
        """Wait until the worker of a job has been reaped; return its exit status and what it used."""
        while job not in self._ended:
            self._receive()
        return self._ended.pop(job)

    def _receive(self) -> None:
        try:
            text, descriptors, _flags, _address = socket.recv_fds(self._control, 65536, 1)
        except OSError:
            text = b""
        if not text:
            self.gone = True
            raise ZygoteGone("The process that starts workers ended.")
        message = json.loads(text)
        if "forked" in message:
            self._forked[message["forked"]] = descriptors[0]
        elif "failed" in message:
            self._failed[message["failed"]] = message["why"]
        elif "ended" in message:
            self._ended[message["ended"]] = message

    def close(self) -> None:
        """Leave; the zygote ends what is still running for this client."""
        if self._ordered is not None:
            self._ordered.abandon()
            self._ordered = None
        self._control.close()
        while self._forked:
            os.close(self._forked.popitem()[1])

    def forget(self) -> None:
        """Close a copy that a fork left behind."""
        self._control.close()


class FreshClient:
    """Starts every worker as a process of its own, at the level `gpu`; takes the place of a zygote's client.

    Args:
        modules: what to import before the first question.
        slot: which user it gets where we are root; clients that run at the same time have different ones.
        closed: folders that no worker may read, whatever the machine offers: where the solutions are.
    """

    def __init__(self, modules: Iterable[str] = (), slot: int = 0, closed: Iterable[Path] = (SOLUTIONS,)) -> None:
        self._modules, self._slot, self._closed = sorted(modules), slot, sorted(map(str, closed))
        self._started: dict[int, tuple[subprocess.Popen[bytes], str]] = {}
        self._last = 0
        self.gone = False
        for left in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*-*"):  # by graders that were killed
            if not Path("/proc", left.name.removeprefix(SCRATCH).partition("-")[0]).exists():
                _remove(str(left))

    def order(self, ceilings: Ceilings) -> None:
        """Nothing runs ahead: a process that waits with a GPU in its hands would slow the one before it."""

    def fork(self, ceilings: Ceilings) -> Process:
        """Start a fresh worker.

        Raises:
            NoIsolation: this machine lacks what the level needs.
        """
        self._last += 1
        scratch = tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-")
        ours, theirs = socket.socketpair()
        tell, told = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output, ink = os.pipe2(os.O_CLOEXEC)
        settings = {
            "scratch": scratch, "ceilings": asdict(ceilings), "slot": self._slot, "modules": self._modules,
            "closed": self._closed,
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-B", "-m", "nnkit.grader.fresh", str(told.fileno()), str(theirs.fileno())],
            env=_environment(), pass_fds=(told.fileno(), theirs.fileno()), stdin=subprocess.DEVNULL, stdout=ink, stderr=ink,
            cwd="/", start_new_session=True,
        )  # fmt: skip
        tell.send(json.dumps(settings).encode())
        for end in (theirs, told, tell):
            end.close()
        os.close(ink)
        self._started[self._last] = (process, scratch)
        worker = Process(self, self._last, ours.detach(), output, ceilings)
        try:
            worker.meet()
        except BaseException:
            worker.end()
            raise
        return worker

    def await_fork(self, job: int) -> int:
        """Return the pidfd of a job's worker."""
        return os.pidfd_open(self._started[job][0].pid)

    def await_end(self, job: int) -> dict[str, Any]:
        """End all that a job's worker has started, remove what it has written, and return how it ended."""
        process, scratch = self._started.pop(job)
        # Nothing leaves its group (see fewer_calls.py), and until it is waited for, its number is nobody else's.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        _await_group(process.pid)
        _remove(scratch)
        seconds = usage.ru_utime + usage.ru_stime
        return {"ended": job, "status": process.returncode, "seconds": seconds, "peak": usage.ru_maxrss * 1024}

    def close(self) -> None:
        """End what is still running."""
        for job, (process, _scratch) in list(self._started.items()):
            process.kill()
            self.await_end(job)


def _await_group(number: int) -> None:
    """Wait a moment for killed processes to be gone; where nobody reaps orphans, they stay as names without memory."""
    end = time.monotonic() + FAREWELL_SECONDS
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < end:
            os.killpg(number, 0)
            time.sleep(0.001)


def _remove(folder: str) -> None:
    """Remove what hostile code has filled: a tree too deep for Python, folders that its owner may not enter."""
    for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        subprocess.run([*command, "--", folder], check=False, capture_output=True)


class Process:
    """One worker process and the channel to it."""

    def __init__(self, client: Client | FreshClient, job: int, channel: int, output: int, ceilings: Ceilings) -> None:
        self._client, self._job, self._channel, self._output = client, job, channel, output
        self.ceilings = ceilings
        self._pidfd = -1
        self.pid = 0
        self.layers: list[str] = []
        self.printed = bytearray()
        self.printed_bytes = 0
        self.seconds = 0.0  # of processor time, as last seen
        self.running = True
        os.set_blocking(channel, False)
        os.set_blocking(output, False)
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._poll.register(output, select.POLLIN)
        self._hears_output = True

    def meet(self) -> None:
        """Wait for the worker's first word: which layers of isolation it stands in."""
        self._pidfd = self._client.await_fork(self._job)
        facts = Path(f"/proc/self/fdinfo/{self._pidfd}").read_text("ascii").splitlines()
        self.pid = next(int(line.split()[1]) for line in facts if line.startswith("Pid:"))
        line = _Line(self, Patience(10, FORK_SECONDS), 0.0)
        try:
            hello = codec.Decoder().value(*codec.read_frame(channel.ReadAhead(line.fill)))
        except WorkerEnded as ended:
            raise OurFault(f"A worker could not be set up: {ended} {self.output_text()}".strip()) from None
        if hello[0] == "refused":
            self.end()
            raise NoIsolation(f"Isolation at level gpu is not possible on this machine: {hello[1]}.")
        self.layers = hello[1]

    def cpu(self) -> float:
        """Processor time it has used so far, in seconds, read from outside."""
        if self.running:
            # It may have ended by itself: then what it had used when last seen stands.
            with contextlib.suppress(OSError):
                self.seconds = time.clock_gettime(((~self.pid) << 3) | 2)
        return self.seconds

    def ask_all(self, questions: Sequence[list[codec.Buffer]], patience: Patience, call_back: CallBack) -> list[Frame]:
        """Ask questions in one crossing and return each answer's head and buffers, undecoded.

        Args:
            questions: the parts of each one's frame. Several must fit into the channel, and none of them may call a
                function of the test's.
            patience: for all of them, the functions of the test's that they call included.
            call_back: gets every frame from the worker; returns the parts to send back, or None when the frame is an
                answer.

        Raises:
            WorkerEnded: the worker ran over, died or spoke nonsense. It is no longer there.
        """
        noise = os.urandom(channel.NONCE * len(questions))
        nonces = [noise[place : place + channel.NONCE] for place in range(0, len(noise), channel.NONCE)]
        line = _Line(self, patience, self.cpu())
        read = channel.ReadAhead(line.fill)
        sent = [part for nonce, question in zip(nonces, questions, strict=True) for part in (nonce, *question)]
        channel.write([b"".join(sent)] if len(questions) > 1 else sent, line.send)
        answers: list[Frame] = []
        size = 0
        for _ in range(CALL_BACKS + len(questions)):
            nonce, last = nonces[len(answers)], len(answers) + 1 == len(questions)
            if read(channel.NONCE) != nonce:
                raise self.kill("protocol_error", NOT_ASKED)
            try:
                head, buffers = codec.read_frame(read)
                too_early = read.ahead and last
                reply = None if too_early else call_back(head, buffers)
            except (ProtocolError, struct.error) as error:
                raise self.kill("protocol_error", f"The answer is not well-formed ({error}).") from None
            if too_early or (reply is not None and read.ahead):
                raise self.kill("protocol_error", NOT_ASKED)
            if reply is not None:
                channel.write([nonce, *reply], line.send)
                line.time_left()
                continue
            answers.append((head, buffers))
            size += len(head) + sum(map(len, buffers))
            if last:
                return answers
            if size > codec.FRAME_LIMIT:
                raise self.kill("protocol_error", "The answers are too long together.")
        raise self.kill("timeout", f"A function of the test's was called more than {CALL_BACKS:,} times.")

    def drain(self) -> None:
        """Take what the worker has printed, or a part of it; keep the beginning, count the rest."""
        for _ in range(OUTPUT_AT_ONCE):
            if not self._hears_output:
                return
            try:
                text = os.read(self._output, 1 << 16)
            except BlockingIOError:
                return
            if not text:
                self._hears_output = False
                self._poll.unregister(self._output)
                return
            self.printed_bytes += len(text)
            self.printed += text[: OUTPUT_KEPT - len(self.printed)]

    def output_text(self) -> str:
        """What it printed, as text."""
        return self.printed.decode("utf-8", "replace")

    def kill(self, state: str, sentence: str) -> WorkerEnded:
        """End the worker and return what to raise."""
        self.end()
        return WorkerEnded(state, sentence)

    def end(self) -> dict[str, Any]:
        """End the worker, wait until nothing of it is left, and return how it ended."""
        if not self.running:
            return {}
        if self._pidfd < 0:
            self._pidfd = self._client.await_fork(self._job)
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        try:
            ended = self._client.await_end(self._job)
        except ZygoteGone:
            self.abandon()
            raise
        self.seconds = ended["seconds"]
        self.drain()
        self.abandon()
        return ended

    def abandon(self) -> None:
        """Close our ends without waiting."""
        if not self.running:
            return
        self.running = False
        for descriptor in (self._channel, self._output, self._pidfd):
            if descriptor >= 0:
                os.close(descriptor)

    def ended_by_itself(self) -> WorkerEnded:
        """The channel is closed: give it a moment to die, so that the reason told is the real one."""
        waiting = select.poll()
        waiting.register(self._pidfd, select.POLLIN)
        if not waiting.poll(FAREWELL_SECONDS * 1000):
            return self.kill("crashed", "It closed the channel for its answers and went on.")
        ended = self.end()
        status = ended["status"]
        # The kernel counts ticks where it limits and nanoseconds where it tells, so the two may differ by some.
        if status == -signal.SIGXCPU or (status == -signal.SIGKILL and self.seconds >= 0.75 * self.ceilings.seconds):
            return WorkerEnded("timeout", f"It used more than {self.ceilings.seconds} s of processor time in all.")
        if status == -signal.SIGKILL:
            return WorkerEnded("killed", "The system killed it, most likely because memory ran out.")
        if status < 0:
            return WorkerEnded("crashed", f"It ended with {_signal_name(-status)}.")
        return WorkerEnded("crashed", f"It ended its own process with exit code {status}.")


class _Line:
    """Reads and writes one question's bytes within its patience, draining what the worker prints meanwhile."""

    def __init__(self, process: Process, patience: Patience, cpu_before: float) -> None:
        self._process, self._patience, self._cpu_before = process, patience, cpu_before
        self._deadline = time.monotonic() + patience.wall
        self._waited = False

    def fill(self, places: list[memoryview]) -> int:
        process = self._process
        while True:
            try:
                got = os.readv(process._channel, places)
            except BlockingIOError:
                self._wait(process._poll)
                continue
            except ConnectionError:
                got = 0
            if got == 0:
                raise process.ended_by_itself()
            return got

    def send(self, views: list[memoryview]) -> int:
        process = self._process
        while True:
            try:
                return os.writev(process._channel, views)
            except BlockingIOError:
                writable = select.poll()
                writable.register(process._channel, select.POLLOUT)
                if process._hears_output:
                    writable.register(process._output, select.POLLIN)
                self._wait(writable)
            except ConnectionError:
                raise process.ended_by_itself() from None

    def time_left(self) -> float:
        """Seconds for which nothing need be looked at. Ends the worker when there are none."""
        process, patience = self._process, self._patience
        wall_left = self._deadline - time.monotonic()
        if wall_left <= 0:
            raise process.kill("timeout", f"No answer after {patience.wall:.3g} s.")
        # One thread cannot use more processor time than time passes, so nothing need be looked at before that.
        cpu_left = patience.cpu - (process.cpu() - self._cpu_before)
        if cpu_left <= 0:
            raise process.kill("timeout", f"No answer after {patience.cpu:.3g} s of processor time.")
        return min(wall_left, cpu_left + 0.01)

    def _wait(self, poll: select.poll) -> None:
        # Nothing has been used up yet when it waits for the first time, as it does once for most questions.
        seconds = self.time_left() if self._waited else min(self._patience.wall, self._patience.cpu)
        self._waited = True
        for descriptor, _event in poll.poll(seconds * 1000):
            if descriptor == self._process._output:
                self._process.drain()


def _signal_name(number: int) -> str:
    try:
        return {signal.SIGSEGV: "a segmentation fault", signal.SIGABRT: "an abort"}.get(
            signal.Signals(number), f"signal {signal.Signals(number).name}"
        )
    except ValueError:
        return f"signal {number}"
