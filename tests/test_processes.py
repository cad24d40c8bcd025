"""Whatever a worker does, the grader learns why it ended, nothing of it is left, and the next one works."""

import contextlib
import os
import select
import signal
from pathlib import Path

import numpy as np
import pytest

from nnkit.grader import codec
from nnkit.grader.errors import OurFault, WorkerEnded
from nnkit.grader.processes import Patience, Zygote, ZygoteGone
from nnkit.grader.sandbox import Ceilings

CEILINGS = Ceilings(memory=2 << 30, seconds=60)
PLENTY = Patience(cpu=20, wall=60)
LITTLE_CPU = Patience(cpu=0.3, wall=60)
LITTLE_WALL = Patience(cpu=20, wall=0.5)
NICE = "def f(*x):\n    return list(x)\n"
HOSTILE = ("ctypes", "os", "signal", "socket", "struct", "sys", "threading", "time", "numpy")

# What hostile code of these tests uses: the channel, and the nonce of the question in hand, from the worker's frames.
TOOLS = """\
import ctypes, os, signal, socket, struct, sys, threading, time
import numpy as np
MAGIC = 0x314B4E4E
def nonce():
    frame = sys._getframe()
    while frame is not None:
        if isinstance(frame.f_locals.get("nonce"), (bytes, bytearray)) and len(frame.f_locals["nonce"]) == 8:
            return bytes(frame.f_locals["nonce"])
        frame = frame.f_back
def frame(head, *buffers):
    return struct.pack("<III", MAGIC, len(head), len(buffers)) + struct.pack(f"<{len(buffers)}Q", *buffers) + head
VALUE = b"\\x94\\x00\\xa5value\\x01\\xc0"
def say(data):
    while data: data = data[os.write(3, data):]
"""


def asked(process, *question, patience=PLENTY, call_back=lambda head, buffers: None):
    """Ask, and return the answer as a tree."""
    parts = codec.Encoder(lambda function: [codec.CALLBACK, 0]).frame(list(question))
    head, buffers = process.ask_all([parts], patience, call_back)[0]
    return codec.Decoder(lambda tag, fields: (tag, fields)).value(head, buffers)


def called(process, *arguments, **options):
    return asked(process, "call", ["name", "f"], list(arguments), {}, False, **options)


def loaded(client, source, ceilings=CEILINGS):
    """A worker with a file in it."""
    process = client.fork(ceilings)
    answer = asked(process, "load", {"sub.py": source.encode()}, "sub", list(HOSTILE), "13", "", 1)
    assert answer[0] == "value", answer
    return process


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def next_one_works(client):
    process = loaded(client, NICE)
    works = called(process, 1, "a") == ["value", [1, "a"], None]
    process.end()
    return works


@contextlib.contextmanager
def no_new_descriptors():
    before = list(Path("/proc/self/fd").iterdir())
    yield
    after = list(Path("/proc/self/fd").iterdir())

    assert len(after) == len(before)


# The ordinary way


def test_a_worker_answers_what_it_is_asked(client):
    """Values there and back, several questions in a row, small and large"""
    process = loaded(client, NICE)

    assert called(process, 1, {"a": [2.5]}) == ["value", [1, {"a": [2.5]}], None]
    large = np.arange(3_000_000.0)
    np.testing.assert_array_equal(called(process, large)[1][0], large)
    assert asked(process, "echo", 3) == ["value", 3, None]
    process.end()


def test_a_worker_says_where_it_stands(client):
    """Its layers of isolation, its number, and that it is no child of this process"""
    process = client.fork(CEILINGS)

    assert process.layers == ["limits", "no_new_privileges", "dies_with_parent", "not_dumpable"]
    assert not is_gone(process.pid)
    with pytest.raises(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    process.end()
    assert is_gone(process.pid)


def test_functions_of_the_test_are_called_back(client):
    """The frame of a call goes to the call back, what that returns goes to the worker"""
    process = loaded(client, "def f(g):\n    return [g(i) for i in range(30)]\n")
    heard = []

    def call_back(head, buffers):
        tree = codec.Decoder(lambda tag, fields: None).value(head, buffers)
        if tree[0] != "back":
            return None
        heard.append(tree[2][0])
        return codec.Encoder().frame(["value", 2 * tree[2][0]])

    assert called(process, print, call_back=call_back) == ["value", [2 * i for i in range(30)], None]
    assert heard == list(range(30))
    process.end()


def test_what_is_printed_is_taken_and_its_beginning_kept(client):
    """30 MB on both streams do not stop the answer; 64 KiB are kept, all bytes are counted"""
    source = "import sys\ndef f():\n    for _ in range(30): print('x' * (1 << 20), file=sys.stderr)\n    return 1\n"
    process = loaded(client, source)

    assert called(process)[1] == 1
    process.end()

    assert process.printed_bytes == 30 * ((1 << 20) + 1)
    assert process.output_text() == "x" * (64 << 10)


def test_the_clock_read_from_outside_grows_with_the_work(client):
    """The worker's processor time is at least what it measured itself, whatever it does to its own clocks"""
    source = (
        "import time\nclock = time.process_time\n"
        "def f(seconds):\n    start = clock()\n    while clock() - start < seconds: pass\n    return clock() - start\n"
        "time.process_time = time.perf_counter = lambda: 0.0\n"
    )
    process = loaded(client, source)
    before = process.cpu()
    spent = called(process, 0.05)[1]
    between = process.cpu()
    called(process, 0.0)
    after = process.cpu()
    process.end()

    assert between - before >= spent >= 0.05
    assert after - between < between - before
    assert process.cpu() >= after  # once it has ended, what it used in all


def test_a_worker_ordered_ahead_is_the_next_one(client):
    """`order` does not wait; the next fork with the same ceilings takes it, one with others does not"""
    client.order(CEILINGS)
    ordered = client._ordered
    other = client.fork(Ceilings(memory=3 << 30, seconds=60))
    process = client.fork(CEILINGS)

    assert process is ordered
    assert other is not ordered
    other.end()
    process.end()
    client.order(CEILINGS)  # never used: closing the client ends it


def test_news_of_several_workers_do_not_mix(client):
    """While one's end is awaited, another one's beginning may be told"""
    first = loaded(client, NICE)
    client.order(CEILINGS)
    first.end()
    second, third = client.fork(CEILINGS), client.fork(CEILINGS)
    third.end()

    assert is_gone(first.pid)
    assert is_gone(third.pid)
    assert asked(second, "echo", 1)[1] == 1
    second.end()


def test_nothing_is_left_open(numpy_zygote):
    """Descriptors of workers, clients and orders are closed, also when a worker ends in the midst of a question"""
    with no_new_descriptors():
        client = numpy_zygote.client()
        loaded(client, NICE).end()
        process = loaded(client, "import os\ndef f(): os._exit(0)\n")
        with pytest.raises(WorkerEnded):
            called(process)
        process.end()
        client.order(CEILINGS)
        client.fork(Ceilings(memory=3 << 30, seconds=60)).end()
        client.close()


def test_a_client_that_leaves_ends_its_workers(numpy_zygote):
    """Nobody else would: the zygote does it"""
    client = numpy_zygote.client()
    process = loaded(client, NICE)
    pidfd = os.pidfd_open(process.pid)
    client.close()

    assert has_ended(pidfd)
    process.abandon()


def has_ended(pidfd, seconds=20):
    """Wait for a process to end, at most so long, and say whether it did."""
    waiting = select.poll()
    waiting.register(pidfd, select.POLLIN)
    ended = bool(waiting.poll(seconds * 1000))
    os.close(pidfd)
    return ended


# Hostile workers

ENDS = {
    "dies": ("def f(): os._exit(0)", PLENTY, "crashed", "It ended its own process with exit code 0."),
    "dies with a code": ("def f(): os._exit(3)", PLENTY, "crashed", "It ended its own process with exit code 3."),
    "segfault": ("def f(): ctypes.string_at(0)", PLENTY, "crashed", "It ended with a segmentation fault."),
    "abort": ("def f(): os.abort()", PLENTY, "crashed", "It ended with an abort."),
    "signal": ("def f(): os.kill(os.getpid(), signal.SIGTERM)", PLENTY, "crashed", "It ended with signal SIGTERM."),
    "real-time signal": ("def f(): os.kill(os.getpid(), 40)", PLENTY, "crashed", "It ended with signal 40."),
    "kills itself": (
        "def f(): os.kill(os.getpid(), signal.SIGKILL)", PLENTY, "killed",
        "The system killed it, most likely because memory ran out.",
    ),
    "closes its socket and lives": (
        "def f():\n    os.close(3)\n    while True: time.sleep(1)", PLENTY, "crashed",
        "It closed the channel for its answers and went on.",
    ),
    "closes its socket": (
        "def f(): os.close(3)", PLENTY, "crashed", "It ended its own process with exit code 70.",
    ),
    "half-closes its socket": (
        "def f():\n    socket.socket(fileno=3).shutdown(socket.SHUT_WR)\n    while True: time.sleep(1)", PLENTY, "crashed",
        "It closed the channel for its answers and went on.",
    ),
    "loops": ("def f():\n    while True: pass", LITTLE_CPU, "timeout", "No answer after 0.3 s of processor time."),
    "loops in C": ("def f(): sum(range(10**12))", LITTLE_CPU, "timeout", "No answer after 0.3 s of processor time."),
    "ignores signals": (
        ("def f():\n    for n in range(1, 65):\n        try: signal.signal(n, signal.SIG_IGN)\n        except Exception: pass\n"
        "    while True: pass"),
        LITTLE_CPU, "timeout", "No answer after 0.3 s of processor time.",
    ),
    "loops in threads": (
        ("def spin():\n    while True: pass\n"
        "def f():\n    for _ in range(4): threading.Thread(target=spin).start()\n    time.sleep(1000)"),
        LITTLE_CPU, "timeout", "No answer after 0.3 s of processor time.",
    ),
    "prints for ever": (
        "def f():\n    while True: os.write(1, b'x' * 65536)", LITTLE_CPU, "timeout", "No answer after 0.3 s of processor time.",
    ),
    "sleeps": ("def f(): time.sleep(1000)", LITTLE_WALL, "timeout", "No answer after 0.5 s."),
    "stops itself": ("def f(): os.kill(os.getpid(), signal.SIGSTOP)", LITTLE_WALL, "timeout", "No answer after 0.5 s."),
    "drips bytes": (
        "def f():\n    for byte in nonce() + frame(VALUE * 1000):\n        say(bytes([byte]))\n        time.sleep(0.1)",
        LITTLE_WALL, "timeout", "No answer after 0.5 s.",
    ),
    "announces and does not send": (
        "def f():\n    say(nonce() + struct.pack('<III', MAGIC, 1 << 20, 0))\n    time.sleep(1000)",
        LITTLE_WALL, "timeout", "No answer after 0.5 s.",
    ),
    "does not read": (
        "def f(*x):\n    say(nonce() + frame(b'\\x95\\x00\\xa4back\\x00\\x91\\x00\\x91\\x02'))\n    time.sleep(1000)",
        LITTLE_WALL, "timeout", "No answer after 0.5 s.",
    ),
    "calls back for ever": (
        ("back = frame(b'\\x95\\x00\\xa4back\\x00\\x91\\x00\\x91\\x02')\n"
        "def f():\n    while True: say(nonce() + back); os.read(3, 1 << 20)"),
        PLENTY, "timeout", "A function of the test's was called more than 500 times.",
    ),
    "calls back without waiting": (
        "def f(): say((nonce() + frame(b'\\x95\\x00\\xa4back\\x00\\x91\\x00\\x91\\x02')) * 2)",
        PLENTY, "protocol_error", "The answer belongs to another question.",
    ),
    "answers twice at once": (
        "def f(): say((nonce() + frame(VALUE)) * 2)", PLENTY, "protocol_error", "The answer belongs to another question.",
    ),
    "nonsense": ("def f(): say(nonce() + b'nonsense' * 10)", PLENTY, "protocol_error", "is not well-formed (not a frame)."),
    "huge head": (
        "def f(): say(nonce() + struct.pack('<III', MAGIC, 2**32 - 1, 0))", PLENTY, "protocol_error", "(head too long).",
    ),
    "many buffers": (
        "def f(): say(nonce() + struct.pack('<III', MAGIC, 1, 2**32 - 1))", PLENTY, "protocol_error", "(head too long).",
    ),
    "huge buffers": (
        "def f(): say(nonce() + frame(VALUE, 2**63, 2**63))", PLENTY, "protocol_error", "(frame too long).",
    ),
    "wrong nonce": (
        "def f(): say(b'12345678' + frame(VALUE))", PLENTY, "protocol_error", "The answer belongs to another question.",
    ),
    "nonce of the question before": (
        "last = b''\ndef f():\n    global last\n    if last: say(last + frame(VALUE))\n    last = nonce()",
        PLENTY, "protocol_error", "The answer belongs to another question.",
    ),
    "answers twice": (
        "def f(): say(nonce() + frame(VALUE))", PLENTY, "protocol_error", "The answer belongs to another question.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", ENDS)
def test_a_hostile_worker_is_ended_for_the_right_reason(client, monkeypatch, how):
    """The state and the sentence are right, no process is left, and the next worker works"""
    source, patience, state, sentence = ENDS[how]
    monkeypatch.setattr("nnkit.grader.processes.CALL_BACKS", 500)
    process = loaded(client, TOOLS + source + "\n")

    def call_back(head, buffers):
        reply = bytes(5 << 20 if how == "does not read" else 5)
        return codec.Encoder().frame(["value", reply]) if b"\xa4back" in head[:8] else None

    def ask_three_times():  # some need a second question
        for _ in range(3):
            called(process, patience=patience, call_back=call_back)

    with pytest.raises(WorkerEnded) as caught:
        ask_three_times()

    assert (caught.value.state, str(caught.value)[-len(sentence) :]) == (state, sentence)
    assert not process.running
    assert is_gone(process.pid)
    assert next_one_works(client)


def all_asked(process, *arguments):
    """Call f with each argument, all in one crossing."""
    questions = [codec.Encoder().frame(["call", ["name", "f"], [argument], {}, False]) for argument in arguments]
    answers = process.ask_all(questions, PLENTY, lambda head, buffers: None)
    return [codec.Decoder().value(*answer)[1] for answer in answers]


def test_many_questions_in_one_crossing(client):
    """They are answered in their order, also where the answers do not fit into the channel at once"""
    process = loaded(client, "def f(n):\n    return [n, b'x' * n]")

    assert all_asked(process, *range(200)) == [[n, b"x" * n] for n in range(200)]
    assert [len(text) for _, text in all_asked(process, *[400_000] * 10)] == [400_000] * 10
    process.end()


CROSSED = {
    "answers the next one too": "def f(n): say(nonce() + frame(VALUE) + waiting()[-1])",
    "answers all at once": "def f(n): say((nonce() + frame(VALUE)) * 3)",
    "swaps nonces": "def f(n):\n    if n == 2: waiting()[0] = bytes(8)\n    return n",
    "holds back an answer": "def f(n):\n    if n == 2: del waiting()[:]\n    return n",
    "answers the last one twice": "def f(n):\n    if n == 3: waiting().extend(waiting())\n    return n",
}


@pytest.mark.parametrize("source", CROSSED.values(), ids=CROSSED)
def test_nonsense_among_many_answers(client, source):
    """A worker that confuses the answers of one crossing is ended: no answer counts for another question"""
    waiting = """\
def waiting():
    frame = sys._getframe()
    while "waiting" not in frame.f_locals or "worker" not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals["waiting"]
"""
    process = loaded(client, TOOLS + waiting + source)

    with pytest.raises(WorkerEnded) as caught:
        all_asked(process, 1, 2, 3)

    assert caught.value.state == "protocol_error"
    assert not process.running
    assert next_one_works(client)


def test_answers_made_before_the_question_do_not_count(client):
    """A worker that has queued answers at import is found out at the first question"""
    process = client.fork(CEILINGS)
    source = TOOLS + "say((b'00000000' + frame(VALUE)) * 100)\n"

    with pytest.raises(WorkerEnded, match="another question") as caught:
        asked(process, "load", {"sub.py": source.encode()}, "sub", list(HOSTILE), "13", "", 1)

    assert caught.value.state == "protocol_error"


def test_a_worker_killed_from_outside_is_told_as_killed(client):
    """In the midst of a question, and between two"""
    process = loaded(client, "def f(g): return g(1)\n")

    def call_back(head, buffers):
        if b"\xa4back" not in head[:8]:
            return None
        os.kill(process.pid, signal.SIGKILL)
        return codec.Encoder().frame(["value", 1])

    with pytest.raises(WorkerEnded, match="The system killed it") as caught:
        called(process, print, call_back=call_back)
    assert caught.value.state == "killed"
    assert is_gone(process.pid)

    process = loaded(client, NICE)
    pidfd = os.pidfd_open(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    assert has_ended(pidfd)
    process.cpu()
    with pytest.raises(WorkerEnded, match="The system killed it"):
        called(process)
    assert next_one_works(client)


def test_a_workers_whole_life_is_limited(client):
    """The kernel's own limit on processor time ends it when nobody looks: a timeout too"""
    process = loaded(client, "def f():\n    while True: pass\n", Ceilings(memory=2 << 30, seconds=1))

    with pytest.raises(WorkerEnded, match=r"^It used more than 1 s of processor time in all\.$") as caught:
        called(process)

    assert caught.value.state == "timeout"
    assert is_gone(process.pid)


MEMORY = {
    "at once": "import numpy as np\ndef f(): return np.ones(1 << 28)",
    "little by little": "def f():\n    x = []\n    while True: x.append(bytearray(1 << 20))",
    "in small pieces": "def f():\n    x = []\n    while True: x.append([None] * 20)",
    "in a deep place": "def f(n=0):\n    x = bytearray(1 << 20)\n    return f(n + 1) if n < 900 else bytes(1 << 40)",
}


@pytest.mark.parametrize("how", MEMORY)
def test_a_worker_without_memory_says_so_and_goes_on(client, how):
    """MemoryError is an answer like any other, however little is left: what filled the memory is let go first"""
    process = loaded(client, MEMORY[how] + "\ndef g(): return 3\n", Ceilings(memory=350 << 20, seconds=60))

    answer = called(process)

    assert answer[:2] == ["error", "MemoryError"]
    assert asked(process, "call", ["name", "g"], [], {}, False)[1] == 3
    process.end()


def test_a_patience_is_for_one_question(client):
    """An old worker has as much of it as a new one: work that is more than one patience in all is no matter"""
    process = loaded(
        client,
        "import time\ndef f():\n    end = time.process_time() + 0.1\n    while time.process_time() < end: pass\n",
    )
    while process.cpu() < 0.7:
        called(process, patience=Patience(cpu=0.5, wall=60))
    process.end()


def test_what_interrupts_the_grader_goes_through(client):
    """An exception out of the call back that is not about the protocol is not swallowed"""
    process = loaded(client, "def f(g): return g(1)\n")

    def call_back(head, buffers):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        called(process, print, call_back=call_back)
    process.end()


# The zygote


@pytest.fixture
def own_zygote():
    """A zygote that a test may kill."""
    zygote = Zygote(torch=False)
    zygote.wait_until_ready()
    yield zygote
    zygote.close()


def test_a_killed_zygote_takes_its_workers_with_it(own_zygote):
    """The question in hand, and every later one, ends with ZygoteGone, which is our fault; no orphan stays"""
    client = own_zygote.client()
    busy, idle = loaded(client, "def f(g): return g(1)\n"), loaded(client, NICE)
    pidfds = [os.pidfd_open(process.pid) for process in (busy, idle)]

    def call_back(head, buffers):
        os.kill(own_zygote.pid, signal.SIGKILL)
        assert has_ended(os.pidfd_open(busy.pid))
        return codec.Encoder().frame(["value", 1])

    with pytest.raises(ZygoteGone):
        called(busy, print, call_back=call_back)
    with pytest.raises(ZygoteGone):
        called(idle)
    for make in (lambda: client.fork(CEILINGS), lambda: client.order(CEILINGS), own_zygote.client):
        with pytest.raises(ZygoteGone):
            make()
    assert client.gone
    assert issubclass(ZygoteGone, OurFault)
    assert all(map(has_ended, pidfds))
    assert not own_zygote.alive
    client.close()


def test_closing_a_zygote_ends_everything(own_zygote):
    """When `close` returns there is no worker and no zygote"""
    client = own_zygote.client()
    process = loaded(client, NICE)
    own_zygote.close()

    assert is_gone(process.pid)
    assert is_gone(own_zygote.pid)
    process.abandon()
    client.close()


def test_a_zygote_that_cannot_start_says_why(capfd):
    """A module that is not there is named in our error, and nothing is printed"""
    zygote = Zygote(torch=False, modules=["no_such_module"])

    with pytest.raises(OurFault, match="did not come up: ModuleNotFoundError: No module named 'no_such_module'"):
        zygote.wait_until_ready()

    assert is_gone(zygote.pid)
    assert capfd.readouterr() == ("", "")


def test_a_zygote_that_is_killed_at_its_start_is_told():
    """Before it was ready, without a last word"""
    zygote = Zygote(torch=False)
    os.kill(zygote.pid, signal.SIGKILL)

    with pytest.raises(OurFault, match="did not come up: it ended"):
        zygote.wait_until_ready()
