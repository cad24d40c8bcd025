"""Every layer of isolation is tried on a process of its own; their order is fixed."""

import ctypes
import mmap
import os
import resource
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nnkit.grader import sandbox
from nnkit.grader.processes import STEADY_MEMORY
from nnkit.grader.sandbox import LEVELS, ORDER, Ceilings, Jail, Job, _libc
from nnkit.grader.sandbox.cgroups import ControlGroups
from nnkit.grader.sandbox.landlock import Landlock
from nnkit.grader.sandbox.limits import Limits
from nnkit.grader.sandbox.privileges import NoCapabilities, NoNewPrivileges, NotDumpable
from nnkit.grader.sandbox.syscalls import SystemCalls
from nnkit.grader.sandbox.tether import DiesWithParent

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers run on Linux only")

CEILINGS = Ceilings(memory=1 << 40, seconds=50, written=1 << 20, open_files=40, threads=70)
JOB = Job(CEILINGS, 0)
GET_PDEATHSIG, GET_DUMPABLE, GET_NO_NEW_PRIVS = 2, 3, 39
libc = ctypes.CDLL(None, use_errno=True)


def in_child(action):
    """Run in a forked process; return what `action` returned, as text, or how it ended."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            os.close(reading)
            os.write(writing, str(action()).encode())
            code = 0
        except BaseException as error:
            os.write(writing, repr(error).encode())
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return text if status == 0 else (status, text)


def got(option):
    return libc.prctl(option, 0, 0, 0, 0)


def test_layers_stand_in_their_order():
    """What needs files comes first, then what needs root; the list of system calls refuses all others and comes last"""
    assert [make.name for make in ORDER] == [
        "control_groups", "namespaces", "limits", "own_user", "no_capabilities", "no_new_privileges", "landlock",
        "dies_with_parent", "not_dumpable", "system_calls",
    ]  # fmt: skip


def test_without_isolation_only_what_protects_the_machine_stands():
    """At the level `none` a worker is limited and dies with its parent; files and signals are open to it"""
    jail = Jail("none")

    assert jail.names == ["limits", "no_new_privileges", "dies_with_parent", "not_dumpable"]
    assert in_child(lambda: applied(jail)) == "['last']"
    assert jail.refusal is None


def applied(jail):
    """Apply a jail in this process and say what was called."""
    called = []
    jail.apply(JOB, last=lambda: called.append("last"))
    return called


def test_levels_refuse_what_they_must():
    """strict demands the list of system calls; best is content with another layer that hides files; none with nothing"""
    assert Jail("strict", without=("system_calls",)).refusal
    assert "left out" in Jail("strict", without=("system_calls",)).refusal
    hiding = ("system_calls", "namespaces", "landlock")
    assert Jail("best", without=hiding).refusal == "no layer that hides files works here"
    assert set(LEVELS) == {"strict", "best", "none"}
    if Landlock().missing() is None:
        assert Jail("best", without=("system_calls",)).refusal is None


def test_a_layer_that_cannot_work_is_left_out_and_named(monkeypatch):
    """The others are applied all the same, and the result does not claim it"""

    class Absent:
        name = "absent"

        def missing(self):
            return "this machine has none"

        def apply(self, job):
            raise AssertionError

    monkeypatch.setattr(sandbox, "ORDER", (Limits, Absent, NotDumpable))
    jail = Jail("best", without=("system_calls",))

    assert jail.missing == {"absent": "this machine has none"}
    assert jail.names == ["limits", "not_dumpable"]
    assert in_child(lambda: applied(jail)) == "['last']"


def test_a_layer_that_fails_stops_the_worker(monkeypatch):
    """Nothing of the student's runs behind half a jail"""

    class Failing:
        name = "failing"

        def missing(self):
            return None

        def apply(self, job):
            raise OSError("the kernel refuses")

    monkeypatch.setattr(sandbox, "ORDER", (Limits, Failing, NotDumpable))
    jail = Jail("none", without=())
    jail.layers.insert(1, Failing())

    assert in_child(lambda: applied(jail)) == (99, "OSError('the kernel refuses')")


def test_what_is_tried_is_tried_elsewhere():
    """Asking a layer whether it works changes nothing in the process that asks"""
    before = [got(GET_NO_NEW_PRIVS), got(GET_DUMPABLE), os.getuid(), resource.getrlimit(resource.RLIMIT_NOFILE)]

    Jail("strict")

    assert before == [got(GET_NO_NEW_PRIVS), got(GET_DUMPABLE), os.getuid(), resource.getrlimit(resource.RLIMIT_NOFILE)]
    assert list(Path("/").iterdir())


@pytest.mark.skipif(Landlock().missing() is not None, reason="this kernel has no Landlock")
def test_landlock_grants_what_it_is_told_and_nothing_else(tmp_path):
    """A folder that may be read can be read, one that may be written can be written, the rest is refused"""
    for name in ("read", "write", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)

    def tried():
        _libc.prctl(_libc.SET_NO_NEW_PRIVS, 1)
        Landlock(readable=[str(tmp_path / "read")], writable=[str(tmp_path / "write")]).apply(JOB)
        found = []
        for name in ("read", "write", "other"):
            for action in (
                (tmp_path / name / "file").read_text,
                lambda name=name: (tmp_path / name / "new").write_text("x"),
            ):
                try:
                    action()
                    found.append("yes")
                except PermissionError:
                    found.append("no")
        return found

    assert in_child(tried) == "['yes', 'no', 'yes', 'yes', 'no', 'no']"


def test_capabilities_are_gone():
    """Not even root's own capabilities are left"""

    def tried():
        NoCapabilities().apply(JOB)
        status = Path("/proc/self/status").read_text()
        return [line.split()[1] for line in status.splitlines() if line.startswith(("CapEff", "CapPrm"))]

    assert in_child(tried) == str(["0" * 16] * 2)


def test_limits_are_hard():
    """Soft and hard alike, so that nothing raises them again; processor time alone has a second to say why"""

    def tried():
        Limits().apply(JOB)
        kinds = ("RLIMIT_CPU", "RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_CORE")
        return [resource.getrlimit(getattr(resource, kind)) for kind in kinds]

    expected = [(50, 51), *((most, most) for most in (1 << 40, 1 << 20, 40, 70, 0))]
    assert in_child(tried) == str(expected)


def test_a_limit_that_is_lower_already_stays():
    """A layer takes away and never gives"""

    def tried():
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 30))
        Limits().apply(JOB)
        return resource.getrlimit(resource.RLIMIT_NOFILE)

    assert in_child(tried) == "(30, 30)"


def test_memory_ends_at_its_ceiling():
    """A mapping above it is refused"""

    def tried():
        Limits().apply(Job(Ceilings(memory=1 << 30, seconds=50), 0))
        try:
            mmap.mmap(-1, 2 << 30)
        except OSError as error:
            return type(error).__name__
        return "mapped"

    assert in_child(tried) == "OSError"


@pytest.mark.parametrize(
    ("ignored", "last"), [(signal.SIGUSR1, signal.SIGXCPU), (signal.SIGXCPU, signal.SIGKILL)], ids=["heard", "ignored"]
)
def test_processor_time_ends_at_its_ceiling(ignored, last):
    """By the signal that says why; a second later, where that was ignored, by the one that cannot be"""

    def tried():
        signal.signal(ignored, signal.SIG_IGN)
        Limits().apply(Job(Ceilings(memory=1 << 40, seconds=1), 0))
        while True:
            pass

    assert in_child(tried) == (-last, "")


def test_a_file_ends_at_its_ceiling(tmp_path):
    """No more than so many bytes are written to one file"""

    def tried():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        Limits().apply(JOB)
        with (tmp_path / "large").open("wb", buffering=0) as file:
            return [file.write(bytes(2 << 20)), (tmp_path / "large").stat().st_size]

    assert in_child(tried) == str([1 << 20, 1 << 20])


def test_descriptors_end_at_their_ceiling():
    """Opening more than so many files is refused"""

    def tried():
        os.closerange(3, 1000)
        Limits().apply(JOB)
        try:
            for count in range(100):  # noqa: B007 - told below
                os.open(os.devnull, os.O_RDONLY)
        except OSError:
            return count
        return "all"

    # The pipe's end was closed with the rest: the count comes back as the exit code.
    pid = os.fork()
    if pid == 0:
        os._exit(tried())
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 37


def test_no_privileges_are_gained():
    """The kernel says so itself, and it cannot be undone"""

    def tried():
        before = got(GET_NO_NEW_PRIVS)
        NoNewPrivileges().apply(JOB)
        return [before, got(GET_NO_NEW_PRIVS), libc.prctl(38, 0, 0, 0, 0), got(GET_NO_NEW_PRIVS)]

    assert in_child(tried) in ("[0, 1, -1, 1]", "[1, 1, -1, 1]")


def test_the_process_cannot_be_dumped():
    """No core file, and nobody of the same user may trace it"""

    def tried():
        NotDumpable().apply(JOB)
        return got(GET_DUMPABLE)

    assert in_child(tried) == "0"


def test_a_worker_dies_with_its_parent():
    """However the parent ends: here it is killed"""
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        child = os.fork()
        if child == 0:
            DiesWithParent().apply(JOB)
            os.write(writing, f"{os.getpid()}\n".encode())
            while True:
                signal.pause()
        signal.pause()
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        child = int(file.readline())
        pidfd = os.pidfd_open(child)
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
        waiting = select.poll()
        waiting.register(pidfd, select.POLLIN)

        assert waiting.poll(20_000), "the worker outlived its parent"
        assert file.read() == ""
        os.close(pidfd)


def test_a_refusal_of_the_kernel_is_an_error():
    """A layer does not claim what was not done"""
    with pytest.raises(OSError, match=r"prctl\(9999\)"):
        _libc.prctl(9999, 0)


def test_elsewhere_than_on_linux_layers_are_missing(monkeypatch):
    """They say why, and applying one is an error"""
    monkeypatch.setattr(_libc, "_libc", None)

    jail = Jail("strict", without=("control_groups",))

    assert jail.names == ["limits"]
    assert jail.refusal
    with pytest.raises(OSError, match="needs Linux"):
        NotDumpable().apply(JOB)


def test_a_filter_that_is_taken_and_does_nothing_is_missing(monkeypatch):
    """The core layer is believed only when opening a file was refused behind it"""
    monkeypatch.setattr(SystemCalls, "apply", lambda _self, _job: None)

    assert "files can still be opened" in SystemCalls().missing()


def test_groups_are_made_once_and_again_where_somebody_removed_them():
    """A slot's workers enter by the same door; a ceiling of its own, or a group that is gone, makes them anew"""
    layer = ControlGroups()
    if why := layer.missing():
        pytest.skip(why)

    def entered(job):
        return in_child(lambda: (layer.apply(job), Path("/proc/self/cgroup").read_text())[1])

    def ceilings():
        found = [*home.glob(f"nnkit-{os.getpid()}-7/memory.max"), *home.glob(f"nnkit-{os.getpid()}-7/*limit_in_bytes")]
        return {file.name: int(file.read_text()) for file in found}

    home = next(home for home, controller in layer._homes if controller == "memory")
    job, other = (Job(Ceilings(memory=memory, seconds=50), 7) for memory in (1 << 30, 1 << 29))
    try:
        layer.prepare(job)
        doors = dict(layer._doors)
        first, limits = entered(job), ceilings()
        layer.prepare(job)
        same = layer._doors == doors
        layer.prepare(other)
        lower = ceilings()
        for home_, _controller in layer._homes:
            (home_ / f"nnkit-{os.getpid()}-7").rmdir()
        again = entered(other)
    finally:
        layer.close()

    assert f"nnkit-{os.getpid()}-7" in first
    assert f"nnkit-{os.getpid()}-7" in again
    assert same
    assert 1 << 30 in limits.values()
    assert 1 << 29 in lower.values()
    assert not list(home.glob(f"nnkit-{os.getpid()}-*"))


def test_freed_memory_goes_back_to_the_system():
    """A process that keeps what it frees, so that timings are steady, gives it back where it is asked to"""
    source = (
        "import psutil\nfrom nnkit.grader.sandbox._libc import give_back_memory\n"
        "size = lambda: psutil.Process().memory_info().rss\n"
        "kept = [bytearray(100_000) for _ in range(500)]\nfull = size()\n"
        "last = bytearray(100_000)\ndel kept\nheld = size()\ngive_back_memory()\nprint(full, held, size())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], env={**os.environ, **STEADY_MEMORY}, capture_output=True, text=True, check=True
    )
    full, held, left = map(int, done.stdout.split())

    assert held > full - 10e6
    assert left < full - 40e6


def test_pages_are_put_together():
    """Large blocks hold what they held, and are made of huge pages where the kernel can do that"""
    size = 16 << 20
    tried, block = (mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for _ in range(2))
    for each in (tried, block):
        each.write(b"nnkit" * (size // 5))
    before, place = bytes(block), ctypes.c_char.from_buffer(tried)
    knows = _libc._libc.madvise(ctypes.byref(place), ctypes.c_size_t(size), _libc.COLLAPSE) == 0
    small = huge_pages()

    _libc.put_pages_together()

    assert bytes(block) == before
    assert huge_pages() >= small + size // 2 if knows else huge_pages() == small
    del place


def test_files_are_let_go_of_and_read_anew():
    """Libraries take no memory of a process that does not run them, and work when they are called again"""
    source = (
        "import numpy as np, psutil\nfrom nnkit.grader.sandbox._libc import let_go_of_files\n"
        "size = lambda: psutil.Process().memory_info().shared\n"
        "before = np.linalg.inv(np.eye(3) * 2)\nfull = size()\nlet_go_of_files()\nleft = size()\n"
        "print(full, left, (np.linalg.inv(np.eye(3) * 2) == before).all())\n"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    full, left, same = done.stdout.split()

    assert int(left) < int(full) / 2
    assert same == "True"


def test_without_an_account_of_the_memory_nothing_is_done(monkeypatch, tmp_path):
    """A kernel may be built without it"""
    monkeypatch.setattr(_libc, "SMAPS", tmp_path / "smaps")

    _libc.let_go_of_files()
    _libc.put_pages_together()


def huge_pages():
    """Bytes of this process's memory in huge pages."""
    lines = Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("AnonHugePages:"))
