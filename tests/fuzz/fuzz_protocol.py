"""Throw hostile answers at the grader's side of the wire: `python tests/fuzz/fuzz_protocol.py [ANSWERS] [SEED]`.

From the bytes in the socket up to what a test sees: reading a worker's answers, functions of the test's that are called
back, errors raised again, records of a call, objects that stay in the worker. Whatever comes, a test gets a value, one of
the student's errors, or the end of the worker in one of its states; nothing else is raised, and memory stays within
bounds. In turn, mutated questions are thrown at the worker, which always answers. docs/security.md quotes a run.
"""

import contextlib
import ctypes
import gc
import os
import random
import resource
import signal
import socket
import sys
import time
from pathlib import Path

import msgspec
import numpy as np

sys.path.insert(0, os.path.dirname(__file__))  # noqa: PTH120 - as a script it lies there, and under pytest too
from fuzz_codec import framed, mutated

from nnkit.grader import codec, processes
from nnkit.grader.errors import OurFault, WorkerEnded
from nnkit.grader.processes import Patience, Process
from nnkit.grader.remote import Budget, RemoteTransport
from nnkit.grader.sandbox import Ceilings
from nnkit.grader.student import Handle, Student
from nnkit.grader.transport import Files
from nnkit.grader.worker import Worker

NONCE = b"12345678"
RECORD = [["over"], ["RuntimeWarning: overflow"], ["x"], ["x"], True, False, None]
HANDLE = [codec.HANDLE, 3, "Layer", True]
NAMES = {"f": "function", "Layer": "class", "size": "data"}
ANSWERS = [
    ["value", 3.5, None], ["value", np.arange(300.0), RECORD], ["value", [1, ("a", None), {"k": np.ones(3)}], None],
    ["value", codec.tensor(np.ones(5), "bfloat16"), [[], [], [], [], False, False, None]], ["value", NAMES, None],
    ["error", "ValueError", ["ValueError", "Exception"], "too small", [["k.py", 3, "f", "raise"]], RECORD],
    ["error", "MemoryError", ["MemoryError"], "", [], None], ["error", "Unfit", [], "an object", [], None],
    ["value", 2**80, None], ["value", ["method"], None], ["value", ["value", 3], None], ["value", [], None],
]  # fmt: skip
BACKS = [["back", 0, [2.0], {}], ["back", 0, [np.ones(200)], {"h": 1.0}], ["back", 7, [], {}]]
QUESTIONS = [
    ["call", ["name", "f"], [np.ones(3)], {"h": 2}, True], ["fresh", 4, ["call", ["name", "Layer"], [3], {}, True]],
    ["name", "size"], ["echo", [1, 2]], ["get", 3, "x"], ["set", 3, "x", 1], ["item", [1, 2], 0], ["len", [1]],
    ["iter", [1]], ["next", 3], ["call", ["tool", "shapes_of"], [1], {}, False], ["load", {}, "k", [], "", "", 0],
]  # fmt: skip
SOURCE = b"size = 3\ndef f(x, h=1): return x * h\nclass Layer:\n    def __init__(self, n): self.n = n\n"


def frame(value):
    """The parts of a frame in which objects may stand for others."""
    return [bytes(part) for part in codec.Encoder(lambda _: HANDLE).frame(value)]


# `object()` becomes HANDLE on its way.
ANSWER_FRAMES = [frame(answer) for answer in [*ANSWERS, ["value", object(), None], ["value", [object()] * 3, RECORD]]]
BACK_FRAMES = [frame(back) for back in [*BACKS, ["back", 0, [object()], {}]]]
QUESTION_FRAMES = [frame(question) for question in QUESTIONS]


def ended_process():
    """A process that has ended and is not waited for: workers here have its number, and killing them does nothing."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


class Puppets:
    """A client whose workers say what they are told to say.

    Args:
        pid: of a process that has ended.
    """

    def __init__(self, pid):
        self._pid, self._mouth = pid, None
        self.loading = b""

    def fork(self, ceilings):
        """Return a worker that has said already what it answers to the first question."""
        ours, self._mouth = socket.socketpair()
        self._mouth.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        output, ink = os.pipe2(os.O_CLOEXEC)
        os.close(ink)
        process = Process(self, 1, ours.detach(), output, ceilings)
        process.pid, process._pidfd, process.layers = self._pid, os.pidfd_open(self._pid), ["none"]
        self.say(self.loading)
        return process

    def say(self, data):
        """Have the worker say something, whatever it is asked."""
        if data and self._mouth is not None:
            self._mouth.setblocking(False)
            with contextlib.suppress(OSError):  # there is nobody to listen any more
                self._mouth.recv(1 << 20)  # what it was asked makes room
            with contextlib.suppress(OSError):
                self._mouth.sendall(data)

    def fall_silent(self):
        """Close the worker's end: what it has not said by now it never says."""
        if self._mouth is not None:
            with contextlib.suppress(OSError):
                self._mouth.shutdown(socket.SHUT_WR)

    def await_end(self, _job):
        """How the worker ended."""
        self._mouth.close()
        return {"status": 0, "seconds": 0.0}


class Grader:
    """One submission and the tests that ask it."""

    def __init__(self, pid):
        self.client = Puppets(pid)
        self._words = iter([])

    def student(self):
        """A student whose worker has loaded, and answers with what is said next."""
        patience = Patience(0.1, 0.1)
        budget = Budget(1000.0, 1000.0, patience, patience)
        self.client.loading = NONCE + b"".join(frame(["value", NAMES, None]))
        student = Student(
            RemoteTransport(self.client, Ceilings(1 << 30, 100), budget), Files({"k.py": b""}, "k", "13", ())
        )
        student.begin_test(3)
        student.f  # noqa: B018 - loads
        return student

    def called_back(self, *arguments, **_options):
        """A function of the test's: whenever it is called, the worker's next words are said. It uses what it is given."""
        self._say_next()
        if arguments and isinstance(arguments[0], Handle):
            return arguments[0].sum()
        return arguments[0] * 2 if arguments else 1.0

    def _say_next(self):
        self.client.say(next(self._words, b""))
        if not self._words.__length_hint__():
            self.client.fall_silent()

    def hear(self, student, words, question):
        """Ask a question that is answered by these words in turn; return what became of it, or raise what is not ours."""
        self._words = iter(words)
        self._say_next()
        try:
            question(student, self.called_back)
        except OurFault:
            raise
        except (WorkerEnded, AttributeError) as error:
            return type(error).__name__
        except Exception as error:
            if not (hasattr(error, "nnkit_raised") or type(error).__module__.startswith("nnkit.")):
                raise
            return type(error).__name__
        finally:
            student.close()
        return "value"


def ask_with_an_array(student, _function):
    """Watched, as most questions."""
    student.f(np.ones(3))


def ask_with_a_function(student, function):
    """It may be called, with whatever the worker likes."""
    student.f(function, 2.0)


def ask_for_data(student, _function):
    """A name that is no function."""
    student.size  # noqa: B018 - asks


def ask_again(student, _function):
    """Use what came back as an object."""
    answer = student.f(1.0)
    if isinstance(answer, Handle):
        for use in (
            lambda: answer.weight,
            lambda: len(answer),
            lambda: answer[0],
            lambda: list(answer),
            lambda: answer(1),
        ):
            use()


ASKED = [ask_with_an_array, ask_with_a_function, ask_for_data, ask_again]


ODD = [
    None, True, 0, -1, 2**63, 1e308, float("nan"), "", "value", "SystemExit", "x" * 3000, "\ud800".encode("utf-8", "replace"),
    [], [codec.LIST], [codec.LIST, 1, 2], [codec.DICT, 1, 2], [codec.DICT, [codec.LIST], 1], [codec.TUPLE], HANDLE,
    [codec.HANDLE, -1, 3, 4], [codec.CALLBACK, 0], [codec.BIG_INT, "0x" + "f" * 900], [codec.SCALAR, "|b1", b"\x02"],
    [codec.ARRAY, "<f8", [0, 1 << 28], b""], [codec.ARRAY, "<f8", [], 0], [codec.TENSOR, "bfloat16", True, [1], b"ab"], [99],
]  # fmt: skip


def odd(parts, chance):
    """A well-formed frame in which one value is another one."""
    _, head, *buffers = parts
    root = [msgspec.msgpack.decode(head)]
    place, key = root, 0
    while type(place[key]) is list and place[key] and chance.random() < 0.8:
        place, key = place[key], chance.randrange(len(place[key]))
    if chance.random() < 0.2:
        del place[key]
    else:
        place[key] = chance.choice(ODD)
    return framed(msgspec.msgpack.encode(root[0] if root else None), buffers)


def hostile(parts, chance):
    """A frame as it is, with a few bytes wrong, or with a value wrong."""
    kind = chance.random()
    return b"".join(parts) if kind < 0.2 else mutated(parts, chance) if kind < 0.6 else odd(parts, chance)


def words(chance, backs):
    """What a hostile worker says: calls of the test's functions, and an answer."""
    said = [NONCE + hostile(chance.choice(BACK_FRAMES), chance) for _ in range(backs)]
    nonce = NONCE if chance.random() < 0.98 else chance.randbytes(8)
    return [*said, nonce + hostile(chance.choice(ANSWER_FRAMES), chance)]


@contextlib.contextmanager
def known_nonces():
    """Every question has the same number, so that answers can be made before it."""
    before, processes.os = processes.os, _FixedNumbers()
    try:
        yield
    finally:
        processes.os = before


class _FixedNumbers:
    """The module os, but for random numbers."""

    def __getattr__(self, name):
        return getattr(os, name)

    @staticmethod
    def urandom(_count):
        return NONCE


def one_answer(grader, chance):
    """Ask once and hear a hostile answer; return what became of it."""
    question = chance.choice(ASKED)
    backs = chance.randrange(4) if question is ask_with_a_function else chance.random() < 0.05
    return grader.hear(grader.student(), words(chance, int(backs)), question)


def one_question(worker, chance):
    """Ask a worker something hostile; it must answer, in a frame."""
    data = hostile(chance.choice(QUESTION_FRAMES), chance)
    place = 0

    def exactly(count):
        nonlocal place
        if place + count > len(data):
            raise EOFError
        place += count
        return data[place - count : place]

    try:
        head, buffers = codec.read_frame(exactly)
    except (codec.ProtocolError, EOFError):
        return  # the worker's process ends
    _, head, *buffers = worker.answer(head, buffers)
    answer = codec.Decoder(lambda tag, fields: (tag, fields)).value(bytes(head), [bytes(part) for part in buffers])
    assert answer[0] in ("value", "error"), answer


def a_worker():
    """A worker's logic with a file in it."""
    worker = Worker(lambda _number, _arguments, _options: 1.0)
    _, head, *buffers = frame(["load", {"fuzzed_.py": SOURCE}, "fuzzed_", [], "13", "", 1])
    worker.answer(head, buffers)
    return worker


def in_use():
    """Memory of this process, in MiB, without what the C library keeps for later."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def main(count, seed):
    """Fuzz, and print what came out."""
    chance, became = random.Random(seed), {}
    pid = ended_process()
    grader, worker = Grader(pid), a_worker()
    slowest, start = 0.0, time.perf_counter()
    before = in_use()
    with known_nonces():
        for number in range(count):
            begin = time.perf_counter()
            name = one_answer(grader, chance)
            one_question(worker, chance)
            slowest = max(slowest, time.perf_counter() - begin)
            became[name] = became.get(name, 0) + 1
            if number == count // 10:  # by now everything has happened once
                before = in_use()
    os.waitpid(pid, 0)
    grown = in_use() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = ", ".join(f"{times:,} {name}" for name, times in sorted(became.items(), key=lambda pair: -pair[1])[:8])
    print(
        f"{count:,} answers and {count:,} questions in {time.perf_counter() - start:.0f} s: {told}; nothing else raised; "
        f"slowest {1000 * slowest:.0f} ms; {peak:.0f} MiB of memory at the peak, {grown:.1f} MiB more in use at the end than "
        "after a tenth"
    )


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
