"""The level `gpu` without a GPU: what it leaves to a kernel, what it takes away, and that nothing of it is left."""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from nnkit.grader.errors import NoIsolation, OurFault
from nnkit.grader.processes import FreshClient, Patience
from nnkit.grader.remote import Budget, RemoteTransport
from nnkit.grader.sandbox import Ceilings, Jail
from nnkit.grader.sandbox.fewer_calls import FewerCalls
from nnkit.grader.sandbox.gpu import GpuLevel, OwnUserWithPython
from nnkit.grader.sandbox.landlock import Landlock
from nnkit.grader.student import Student, StudentError
from nnkit.grader.transport import Files

pytestmark = pytest.mark.slow

MODULES = ("ctypes", "fcntl", "os", "resource", "signal", "socket", "subprocess", "sys", "threading", "time")
CEILINGS = Ceilings(memory=1 << 30, seconds=40)
PATIENCE = Patience(20.0, 60.0)
SLOT = 7
AS_ROOT = os.getuid() == 0
CODE = b"""
import ctypes, os, resource, signal, socket, subprocess, sys, threading, time
import numpy as np

def relu(x):
    return np.maximum(x, 0.0)

def ask(text):
    return eval(text)

def do(text):
    names = {}
    exec(text, globals(), names)
    return names.get("said")

def loop():
    while True: pass
"""


@pytest.fixture(scope="module")
def client():
    """Starts workers at the level; where the machine cannot, nothing of this can be tested."""
    made = FreshClient(["numpy", *MODULES], slot=SLOT)
    try:
        made.fork(CEILINGS).end()
    except NoIsolation as lacking:
        pytest.skip(str(lacking))
    yield made
    made.close()


@pytest.fixture
def student(client):
    """A submission that does what it is told."""
    budget = Budget(100.0, 300.0, PATIENCE, PATIENCE)
    made = Student(RemoteTransport(client, CEILINGS, budget), Files({"k.py": CODE}, "k", "29k", ("numpy", *MODULES)))
    yield made
    made.close()


# What it leaves


def test_it_answers_through_the_ordinary_transport(student):
    """Arrays there and back, the layers it stands in told with the level's name first"""
    np.testing.assert_array_equal(student.relu(np.array([-1.0, 2.0])), [0.0, 2.0])

    layers = student.transport.layers
    assert layers[0] == "gpu"
    assert {"limits", "no_new_privileges", "dies_with_parent", "fewer_calls"} < set(layers)
    assert ("own_user" in layers) == AS_ROOT
    assert ("landlock" in layers) == (Landlock().missing() is None)


def test_it_has_what_a_compiler_needs(student):
    """Threads, programs, pipes and a scratch folder in which files are made, moved between folders and removed"""
    said = student.do(
        "thread = threading.Thread(target=int); thread.start(); thread.join()\n"
        "os.makedirs('a/b'); open('a/b/file', 'w').write('moved'); os.replace('a/b/file', 'file')\n"
        "text = open('file').read(); os.remove('file')\n"
        "said = [subprocess.run(['/bin/echo', 'hello'], capture_output=True, check=True).stdout, text, os.getcwd(),\n"
        "        os.environ['HOME'], os.environ['TMPDIR'], open('/proc/cpuinfo').read(9), os.path.exists('/dev/null')]"
    )
    folder = said[2]

    assert said == [b"hello\n", "moved", folder, folder, folder, "processor", True]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no compiler here")
def test_it_compiles_and_loads_what_it_compiled(student):
    """As a library for kernels does: source, compiler, shared library, call"""
    said = student.do(
        "open('k.c', 'w').write('int twice(int x) { return 2 * x; }')\n"
        "subprocess.run(['gcc', '-shared', '-fPIC', '-o', 'k.so', 'k.c'], check=True)\n"
        "said = ctypes.CDLL('./k.so').twice(21)"
    )

    assert said == 42


# What it takes away


def test_it_is_nobody(student):
    """A user of its own where the grader is root, no further groups, no capability, and no way to gain one"""
    user, groups, status = student.ask("[os.getresuid(), os.getgroups(), open('/proc/self/status').read()]")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)

    if AS_ROOT:
        assert (user[0] > 60_000, len(set(user)), groups) == (True, 1, [])
    assert 0 not in user
    assert (facts["CapEff"], facts["CapPrm"], facts["NoNewPrivs"]) == ("0" * 16, "0" * 16, "1")


def test_its_variables_are_few(student, monkeypatch):
    """Nothing of the grader's environment, no descriptor but its own"""
    monkeypatch.setenv("NNKIT_TEST_SECRET", "told")
    names, descriptors = student.ask("[list(os.environ), [int(name) for name in os.listdir('/proc/self/fd')]]")

    assert set(names) <= {
        "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY", "PATH", "LANG", "PYTHONPATH",
        "HOME", "TMPDIR", "LC_CTYPE", "PYTHONHASHSEED", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_",
    }  # fmt: skip
    assert max(descriptors) <= 4  # 4: the folder that is being listed


@pytest.mark.parametrize(
    ("what", "refused"),
    [
        ("bytearray(2 << 30)", MemoryError),
        ("[os.open('/dev/null', 0) for _ in range(200)]", OSError),
        ("open('large', 'wb').write(bytes(32 << 20))", OSError),
        ("socket.socket()", PermissionError),
        ("socket.socket(socket.AF_UNIX)", PermissionError),
        ("socket.socketpair()", PermissionError),
        ("socket.socket(fileno=os.dup(3)).connect('/run/service')", PermissionError),
        ("os.setsid()", PermissionError),
        ("os.setpgid(0, 0)", PermissionError),
        ("os.kill(os.getppid(), 0)", PermissionError),
        ("os.kill(-1, 0)", PermissionError),
        ("resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)", PermissionError),
        ("sys.modules['fcntl'].fcntl(1, 8, os.getppid())", PermissionError),
        ("os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)", PermissionError),
        ("open('/proc/sys/kernel/core_pattern', 'w')", PermissionError),
        ("os.sched_setaffinity(os.getppid(), {0})", PermissionError),
        ("open(f'/proc/{os.getppid()}/mem', 'rb')", PermissionError),
        ("open(f'/proc/{os.getppid()}/environ', 'rb')", PermissionError),
        ("open('/dev/shm/nnkit-gpu-test', 'w')", PermissionError),
        ("open('../nnkit-gpu-test', 'w')", PermissionError),
        ("os.symlink('/etc', 'etc') or os.listdir('etc')", PermissionError),
    ],
)
def test_what_it_may_not_do_fails(client, student, what, refused):
    """Memory, files, sockets, other processes, the kernel's switches"""
    if "/dev/shm" in what or "../" in what or "symlink" in what or "mem'" in what:
        lacking = "landlock" not in client_layers(client)
        if lacking:
            pytest.skip("only Landlock holds this")

    with pytest.raises(refused):
        student.ask(what)


def client_layers(client):
    """The layers of the client's workers."""
    process = client.fork(CEILINGS)
    process.end()
    return process.layers


def test_no_disk_is_in_reach(student):
    """No block device opens: a worker that reads a disk reads every file"""
    opened = student.do(
        "import stat\nsaid = []\n"
        "for folder, _, names in os.walk('/dev'):\n"
        "    for name in names:\n"
        "        path = os.path.join(folder, name)\n"
        "        try:\n"
        "            if stat.S_ISBLK(os.stat(path).st_mode): os.close(os.open(path, os.O_RDONLY)); said.append(path)\n"
        "        except OSError: pass"
    )

    assert opened == []


# The corpus: what the level is to hold

FAMILIES = ("file", "memory", "net", "signal", "kernel", "own")
# What it does not promise: files may be looked for and libraries loaded, its own memory is its own, and calls that reach
# nobody else need not be refused.
NOT_HELD = {
    "file_by_handle", "file_by_path_only", "file_change_folder", "file_in_memory", "file_inherited", "file_is_it_there",
    "file_libraries_from_disk", "file_watch", "kernel_events", "memory_own_environment", "memory_own_file",
    "net_own_channel", "net_shut", "own_filter",
}  # fmt: skip
DEPENDS = {"kernel_privileged"}  # on what the kernel was built with: what it lacks, it does not refuse
ONLY_LANDLOCK = {
    "file_folders",
    "file_public",
    "file_relative",
    "file_shadow",
    "file_through_proc",
    "file_openat2",
    "file_write",
    "file_links",
}
ENVIRONMENTS = [
    "",
    pytest.param("user", marks=pytest.mark.skipif(not AS_ROOT, reason="only root can make other environments")),
    *(
        pytest.param(name, marks=[pytest.mark.long, pytest.mark.skipif(not AS_ROOT, reason="only root can")])
        for name in ("no_landlock", "container", "user,container", "user,no_namespaces")
    ),
]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_attacks(client, environment, make_world, corpus, files_of, variables_of, enter):
    """What the level promises to hold, it holds; what it does not promise is in the list, and succeeds"""
    attacks = [attack for attack in corpus if attack.run == "plain" and attack.name.split("_")[0] in FAMILIES]
    with make_world(user="user" in environment) as world:
        asked = {attack.name: {n: t.decode() for n, t in files_of(attack, world).items()} for attack in attacks}
        variables = {**variables_of(world), "PYTHONPATH": world.mark.decode()}
        done = subprocess.run(
            enter(environment, "attempt.py", "gpu"), input=json.dumps(asked), env=variables, capture_output=True,
            text=True, check=False, timeout=250,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        found = json.loads(done.stdout)
        harm = world.harm()
        held = json.dumps({name: text for name, text in found["said"].items() if name not in NOT_HELD})
        told = [name for name, text in world.secrets.items() if text in held]

    achieved = {name for name, text in found["said"].items() if "ACHIEVED" in text} - DEPENDS
    expected = NOT_HELD | (ONLY_LANDLOCK if "landlock" not in found["layers"] else set())
    assert achieved == expected
    # Where everybody may write, it may write too, unless Landlock forbids it.
    assert [each for each in harm if "landlock" in found["layers"] or not each.startswith(f"left: {world.drop}")] == []
    assert told == (["file"] if "landlock" not in found["layers"] else [])


@pytest.mark.skipif(not AS_ROOT, reason="only root can make other environments")
def test_where_nothing_hides_the_graders_files_it_refuses(make_world, enter, variables_of):
    """An ordinary user on a kernel without Landlock: no worker, and the reason"""
    with make_world(user=True) as world:
        done = subprocess.run(
            enter("user,no_landlock", "attempt.py", "gpu"), input="{}", env=variables_of(world), capture_output=True,
            text=True, check=False,
        )  # fmt: skip

    assert done.returncode != 0
    assert (
        "Isolation at level gpu is not possible on this machine: nothing keeps it off the grader's files" in done.stderr
    )


@pytest.mark.parametrize(
    ("without", "why"),
    [
        ({FewerCalls}, "nothing keeps it off the network (taken away)"),
        (
            {OwnUserWithPython, Landlock},
            "it would run as root" if AS_ROOT else "nothing keeps it off the grader's files",
        ),
    ],
)
def test_what_has_to_stand_is_demanded(monkeypatch, tmp_path, without, why):
    """Without one of these layers there is no level"""
    for layer in without:
        monkeypatch.setattr(layer, "missing", lambda _self: "taken away")

    assert why in GpuLevel(str(tmp_path), []).refusal


def test_closed_folders_are_closed(client):
    """A folder that the level would leave readable is hidden; where that cannot be done, nothing runs"""
    closed = Path(np.__file__).parent / "lib"
    fresh = FreshClient(["numpy", "os"], closed=[closed])
    with contextlib.closing(fresh):
        if "own_user" not in client_layers(client) or "namespaces" not in Jail("strict").names:
            with pytest.raises(NoIsolation, match=r"can read .*chmod o-rwx"):
                fresh.fork(CEILINGS)
            return
        budget = Budget(100.0, 300.0, PATIENCE, PATIENCE)
        student = Student(
            RemoteTransport(fresh, CEILINGS, budget), Files({"k.py": CODE}, "k", "29k", ("numpy", *MODULES))
        )
        assert student.ask(f"os.listdir({str(closed)!r})") == []


# The end


def left(folder, pids):
    """What is left of a worker."""
    alive = []
    for pid in pids:
        with contextlib.suppress(OSError):
            alive += [pid] if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z" else []
    return [*alive, *([folder] if Path(folder).exists() else [])]


def test_what_it_started_ends_with_it(student):
    """Children, their children, and those that ignore every signal"""
    folder, pids = student.do(
        "reading, writing = os.pipe()\n"
        "for depth in range(3):\n"
        "    if os.fork() == 0:\n"
        "        for number in range(1, 65):\n"
        "            try: signal.signal(number, signal.SIG_IGN)\n"
        "            except (OSError, ValueError): pass\n"
        "        os.close(3)\n"
        "        if depth == 2: os.fork()\n"
        "        os.write(writing, f'{os.getpid()} '.encode())\n"
        "        while True: time.sleep(1000)\n"
        "text = ''\n"
        "while text.count(' ') < 4: text += os.read(reading, 100).decode()\n"
        "said = [os.getcwd(), [os.getpid(), *map(int, text.split())]]"
    )
    assert len(pids) == 5

    student.close()

    assert left(folder, pids) == []


def test_what_it_wrote_ends_with_it(student):
    """A tree too deep for Python to walk, and a folder that nobody may enter"""
    folder = student.do(
        "said = os.getcwd()\nos.mkdir('closed'); open('closed/file', 'w').close(); os.fchmod(os.open('closed', 0), 0)\n"
        "for _ in range(3000): os.mkdir('d'); os.chdir('d')"
    )

    student.close()

    assert left(folder, []) == []


def test_a_loop_is_ended_and_the_next_question_gets_another_worker(client):
    """The deadlines of every level hold here too"""
    budget = Budget(100.0, 300.0, Patience(0.5, 60.0), PATIENCE)
    student = Student(RemoteTransport(client, CEILINGS, budget), Files({"k.py": CODE}, "k", "29k", ("numpy", *MODULES)))
    first, folder = student.ask("[os.getpid(), os.getcwd()]")
    with pytest.raises(StudentError, match=r"loop did not come back. No answer after 0.5 s of processor time."):
        student.loop()
    second, other = student.ask("[os.getpid(), os.getcwd()]")
    with pytest.raises(StudentError, match="It ended its own process with exit code 3"):
        student.ask("os._exit(3)")
    np.testing.assert_array_equal(student.relu(np.array([-1.0])), [0.0])
    student.close()

    assert first != second
    assert left(folder, [first]) == left(other, [second]) == []
    assert [state for state, _ in student.transport.ends] == ["timeout", "crashed"]


def test_closing_the_client_ends_what_runs():
    """A worker that nobody has ended"""
    fresh = FreshClient([], slot=SLOT)
    process = fresh.fork(CEILINGS)
    (scratch,) = [folder for _process, folder in fresh._started.values()]

    fresh.close()

    assert left(scratch, [process.pid]) == []
    process.abandon()


def test_a_worker_that_cannot_be_set_up_says_why_and_leaves_nothing():
    """A module that is not there: our fault, in words"""
    fresh = FreshClient(["no_such_module"])
    before = set(Path("/proc/self/fd").iterdir())

    with pytest.raises(OurFault, match="No module named 'no_such_module'"):
        fresh.fork(CEILINGS)

    assert fresh._started == {}
    assert len(set(Path("/proc/self/fd").iterdir())) == len(before)


def test_it_dies_with_a_grader_that_is_killed(client):
    """The kernel ends it"""
    program = (
        "from nnkit.grader.processes import FreshClient; from nnkit.grader.sandbox import Ceilings; import sys\n"
        f"print(FreshClient([], slot={SLOT}).fork(Ceilings(1 << 30, 40)).pid, flush=True); sys.stdin.read()"
    )
    grader = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with grader:
        handle = os.pidfd_open(int(grader.stdout.readline()))
        grader.send_signal(signal.SIGKILL)
        ended = select.poll()
        ended.register(handle, select.POLLIN)

        assert ended.poll(20_000)
        os.close(handle)
    folders = list(Path(tempfile.gettempdir()).glob(f"nnkit-scratch-{grader.pid}-*"))
    assert len(folders) == 1

    FreshClient([])

    assert not folders[0].exists(), "the next one removes what a killed one could not"
