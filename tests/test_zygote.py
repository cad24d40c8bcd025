"""The warm process itself: what its workers start with, and what they do not inherit."""

import json
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest

from nnkit.grader import channel, codec, jailed, sandbox, zygote
from nnkit.grader.processes import Patience
from nnkit.grader.sandbox import Ceilings
from nnkit.grader.transport import no_call_back

CEILINGS = Ceilings(memory=4 << 30, seconds=60)
PLENTY = Patience(cpu=20, wall=60)
LOOK = """\
import os, sys
import numpy as np
def f():
    return {
        "descriptors": sorted(map(int, os.listdir("/proc/self/fd"))),
        "environment": dict(os.environ),
        "threads": len(os.listdir("/proc/self/task")),
        "modules": sorted(name for name in sys.modules if name.startswith(("pytest", "nnkit", "hypothesis", "torch"))),
        "arguments": [bytes(part) for part in open("/proc/self/cmdline", "rb").read().split(b"\\0")],
        "input": sys.stdin.read(),
        "folder": os.getcwd(),
        "frozen": __import__("gc").get_freeze_count() > 1000 if False else None,
        "hash": hash("nnkit"),
    }
def draw(): return [np.random.rand(), hash("text")]
"""


def worker(client, source, *modules):
    process = client.fork(CEILINGS)
    question = ["load", {"sub.py": source.encode()}, "sub", ["numpy", *modules], "13", "", 1]
    process.ask_all([codec.Encoder().frame(question)], PLENTY, no_call_back)
    return process


def call(process, name, *arguments):
    parts = codec.Encoder().frame(["call", ["name", name], list(arguments), {}, False])
    answer = codec.Decoder().value(*process.ask_all([parts], PLENTY, no_call_back)[0])
    assert answer[0] == "value", answer
    return answer[1]


def test_a_worker_starts_with_nothing_of_the_graders(client):
    """Four descriptors, no environment, one thread, no test tool, no argument that tells anything"""
    secret = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(secret, True)
    os.environ["NNKIT_TEST_SECRET"] = "told"
    try:
        process = worker(client, LOOK, "os", "sys")
        seen = call(process, "f")
        process.end()
    finally:
        os.close(secret)
        del os.environ["NNKIT_TEST_SECRET"]

    assert [number for number in seen["descriptors"] if number > 3] in ([], [4])  # 4: the folder that is being listed
    assert seen["environment"] == {}
    assert seen["threads"] == 1
    assert not [name for name in seen["modules"] if name.startswith(("pytest", "hypothesis", "torch"))]
    assert not [name for name in seen["modules"] if name.endswith((".student", ".plugin", ".grading", ".processes"))]
    assert all(b"secret" not in part and b"test" not in part for part in seen["arguments"])
    assert seen["input"] == ""
    assert seen["folder"] == "/"


def test_workers_do_not_see_each_other(client):
    """What one does to numpy, to builtins and to our own modules is not there in the next one"""
    spoil = (
        "import builtins, sys\nimport numpy as np\n"
        "def f():\n    np.exp = None; builtins.sum = None; sys.modules['nnkit.grader.codec'].INLINE = 0\n"
        "    sys.spoiled = True\n"
    )
    first = worker(client, spoil, "builtins", "sys")
    call(first, "f")
    second = worker(
        client,
        "import sys\nimport numpy as np\ndef f(): return [np.exp(0.0), sum([1]), hasattr(sys, 'spoiled')]\n",
        "sys",
    )

    assert call(second, "f") == [np.float64(1.0), 1, False]
    first.end()
    second.end()


def test_every_worker_starts_alike(client):
    """The same random numbers and the same hashes of texts: a grade can be repeated"""
    drawn = []
    for _ in range(2):
        process = worker(client, LOOK, "os", "sys")
        drawn.append(call(process, "draw"))
        process.end()

    assert drawn[0] == drawn[1]


def test_two_clients_of_one_zygote_do_not_meet(numpy_zygote):
    """Each process that grades has its own connection, and job numbers of its own"""
    clients = [numpy_zygote.client() for _ in range(2)]
    processes = [worker(client, f"def f(): return {i}\n") for i, client in enumerate(clients)]
    clients[0].close()

    assert call(processes[1], "f") == 1
    processes[1].end()
    processes[0].abandon()
    clients[1].close()


def test_a_descriptor_that_is_used_again_brings_no_old_news():
    """Jobs of a client that left are nobody's: the next client may get the same descriptor and the same job number"""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            first, theirs = (socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2))
            serving = zygote.Zygote(first[0], sandbox.Jail("none"), jailed.become_worker)
            serving._clients[theirs[0].fileno()] = theirs[0]
            serving._poll.register(theirs[0])
            victim = os.fork()
            if victim == 0:
                signal.pause()
            number = theirs[0].fileno()
            serving._running[victim] = (number, 1)
            serving._dismiss(theirs[0])
            code = 0 if serving._running == {victim: (zygote.NOBODY, 1)} and number not in serving._clients else 2
        finally:
            os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_the_warm_process_refuses_to_serve_with_two_threads(tmp_path):
    """A fork of a process with threads may hang: it says so instead"""
    import subprocess
    import sys

    (tmp_path / "makes_thread.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait).start()\n"
    )
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        process = subprocess.Popen(
            [sys.executable, "-m", "nnkit.grader.zygote", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            env={"PYTHONPATH": str(tmp_path), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            cwd="/",
        )
        theirs.close()
        ours.send(json.dumps({"torch": False, "modules": ["makes_thread"], "level": "none", "without": []}).encode())
        message = json.loads(ours.recv(65536))
        process.wait(60)

    assert message == {"failed": 0, "why": "the warm process has 2 threads instead of 1"}
    assert process.returncode == sandbox.SETUP_FAILED


def test_torch_is_warm_and_runs_one_thread(torch_zygote):
    """The first optimizer of a worker costs no import, and no second thread is there"""
    source = (
        "import sys, threading\nimport torch\nbefore = set(sys.modules)\n"
        "def f():\n    w = torch.zeros(3, 3, requires_grad=True)\n    o = torch.optim.Adam([w])\n"
        "    (w @ w + 1).sum().backward(); o.step()\n"
        "    return [sorted(set(sys.modules) - before), torch.get_num_threads(), len(threading.enumerate())]\n"
    )
    client = torch_zygote.client()
    process = worker(client, source, "torch", "sys", "threading")
    late, threads, tasks = call(process, "f")
    process.end()
    client.close()

    assert (late, threads, tasks) == ([], 1, 1)


@pytest.mark.parametrize(
    "uses",
    [
        "torch.func.hessian(lambda x: (x ** 3).sum())(torch.ones(2))",
        "torch.func.jacfwd(torch.sin)(torch.ones(2))",
        "torch.func.vmap(torch.func.grad(lambda w, x: (w * x).sum()), in_dims=(None, 0))(torch.ones(2), torch.ones(3, 2))",
        "torch.autograd.functional.jacobian(torch.sin, torch.ones(2))",
        "torch.autograd.gradcheck(torch.sin, torch.ones(2, dtype=torch.double, requires_grad=True))",
        "torch.nn.utils.skip_init(torch.nn.Linear, 2, 2)",
        "torch.nn.Linear(2, 2, device='meta')(torch.ones(1, 2, device='meta'))",
        "torch.nn.utils.prune.random_unstructured(torch.nn.Linear(2, 2), 'weight', 0.5)",
        "torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 2))(torch.ones(1, 2))",
        "torch.nn.TransformerEncoderLayer(4, 2, 8).eval()(torch.ones(1, 3, 4))",
        "torch.utils.checkpoint.checkpoint(torch.sin, torch.ones(2, requires_grad=True), use_reentrant=False).sum().backward()",
        "list(torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(4)), 2, shuffle=True))",
        "torch.optim.lr_scheduler.OneCycleLR(torch.optim.SGD([torch.ones(1, requires_grad=True)], 0.1), 0.1, 10)",
        "torch.distributions.Normal(0.0, 1.0).log_prob(torch.ones(1))",
        "torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2))",
        "torch.testing.assert_close(torch.ones(2), torch.ones(2))",
        "[getattr(torch.linalg, name)(torch.eye(3)) for name in ('svd', 'qr', 'inv', 'eigh', 'cholesky', 'cond')]",
        "torch.use_deterministic_algorithms(False)",
        "str((torch.randn(30, 30), torch.nn.Linear(2, 2), torch.ones(2, dtype=torch.complex64)))",
    ],
)  # fmt: skip
def test_what_torch_imports_late_is_there(torch_zygote, uses):
    """Behind the lid nothing can be imported: what a course's students use of torch runs nevertheless"""
    client = torch_zygote.client()
    process = worker(client, f"import torch\n\n\ndef f():\n    {uses}\n    return True\n", "torch")
    answer = call(process, "f")
    process.end()
    client.close()

    assert answer is True


@pytest.mark.parametrize("count", [0, 1, 70_000])
def test_whole_messages_are_read_and_written(count):
    """Whatever number of bytes, in however many parts"""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        os.dup2(theirs.fileno(), jailed.WORKER_SOCKET) if theirs.fileno() != jailed.WORKER_SOCKET else None
        data = channel.ReadAhead(jailed._fill)(count)
        jailed.write([b"", data[: count // 2], memoryview(data)[count // 2 :]] + [b"."] * 100)
        os._exit(0)
    theirs.close()
    with ours:
        ours.sendall(b"x" * count)
        back = b""
        while len(back) < count + 100:
            back += ours.recv(1 << 16)
    os.waitpid(pid, 0)

    assert back == b"x" * count + b"." * 100


def test_a_zygote_that_nobody_waits_for_ends_without_a_word():
    """Whoever started it was stopped while it warmed up: no traceback on anybody's terminal"""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        settings = {"level": "none", "without": [], "torch": False, "modules": []}
        ours.send(json.dumps(settings).encode())
        with subprocess.Popen(
            [sys.executable, "-m", "nnkit.grader.zygote", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            theirs.close()
            ours.close()
            _out, err = process.communicate(timeout=60)

    assert err == ""
