"""Every layer of isolation is tried on a process of its own; their order is fixed."""

import ctypes
import mmap
import os
import resource
import select
import signal
import sys

import pytest

from nnkit.grader import sandbox
from nnkit.grader.sandbox import LAYERS, Ceilings, apply_all
from nnkit.grader.sandbox.limits import Limits
from nnkit.grader.sandbox.privileges import NoNewPrivileges, NotDumpable
from nnkit.grader.sandbox.tether import DiesWithParent

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers run on Linux only")

CEILINGS = Ceilings(memory=1 << 40, seconds=50, written=1 << 20, open_files=40, threads=70)
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
    """Limits first, what hides the process last; later layers may forbid what earlier ones need"""
    assert [layer.name for layer in LAYERS] == ["limits", "no_new_privileges", "dies_with_parent", "not_dumpable"]
    assert len({layer.name for layer in LAYERS}) == len(LAYERS)


def test_all_layers_work_here_and_say_so():
    """What is applied is what is told"""
    assert sandbox.missing() == {}
    assert in_child(lambda: apply_all(CEILINGS)) == str([layer.name for layer in LAYERS])


def test_a_layer_that_cannot_work_is_left_out_and_named(monkeypatch):
    """The others are applied all the same, and the result does not claim it"""

    class Absent:
        name = "absent"

        def missing(self):
            return "this machine has none"

        def apply(self, ceilings):
            raise AssertionError

    monkeypatch.setattr(sandbox, "LAYERS", (Limits(), Absent(), NotDumpable()))

    assert sandbox.missing() == {"absent": "this machine has none"}
    assert in_child(lambda: apply_all(CEILINGS)) == "['limits', 'not_dumpable']"


def test_limits_are_hard():
    """Soft and hard alike, so that nothing raises them again; processor time alone has a second to say why"""

    def tried():
        Limits().apply(CEILINGS)
        kinds = ("RLIMIT_CPU", "RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_CORE")
        return [resource.getrlimit(getattr(resource, kind)) for kind in kinds]

    expected = [(50, 51), *((most, most) for most in (1 << 40, 1 << 20, 40, 70, 0))]
    assert in_child(tried) == str(expected)


def test_a_limit_that_is_lower_already_stays():
    """A layer takes away and never gives"""

    def tried():
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 30))
        Limits().apply(CEILINGS)
        return resource.getrlimit(resource.RLIMIT_NOFILE)

    assert in_child(tried) == "(30, 30)"


def test_memory_ends_at_its_ceiling():
    """A mapping above it is refused"""

    def tried():
        Limits().apply(Ceilings(memory=1 << 30, seconds=50))
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
        Limits().apply(Ceilings(memory=1 << 40, seconds=1))
        while True:
            pass

    assert in_child(tried) == (-last, "")


def test_a_file_ends_at_its_ceiling(tmp_path):
    """No more than so many bytes are written to one file"""

    def tried():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        Limits().apply(CEILINGS)
        with (tmp_path / "large").open("wb", buffering=0) as file:
            return [file.write(bytes(2 << 20)), (tmp_path / "large").stat().st_size]

    assert in_child(tried) == str([1 << 20, 1 << 20])


def test_descriptors_end_at_their_ceiling():
    """Opening more than so many files is refused"""

    def tried():
        os.closerange(3, 1000)
        Limits().apply(CEILINGS)
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
        NoNewPrivileges().apply(CEILINGS)
        return [before, got(GET_NO_NEW_PRIVS), libc.prctl(38, 0, 0, 0, 0), got(GET_NO_NEW_PRIVS)]

    assert in_child(tried) in ("[0, 1, -1, 1]", "[1, 1, -1, 1]")


def test_the_process_cannot_be_dumped():
    """No core file, and nobody of the same user may trace it"""

    def tried():
        NotDumpable().apply(CEILINGS)
        return got(GET_DUMPABLE)

    assert in_child(tried) == "0"


def test_a_worker_dies_with_its_parent():
    """However the parent ends: here it is killed"""
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        child = os.fork()
        if child == 0:
            DiesWithParent().apply(CEILINGS)
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
    from nnkit.grader.sandbox import _prctl

    with pytest.raises(OSError, match=r"prctl\(9999\)"):
        _prctl.prctl(9999, 0)


def test_elsewhere_than_on_linux_a_layer_is_missing(monkeypatch):
    """It says why, and applying it is an error"""
    from nnkit.grader.sandbox import _prctl

    monkeypatch.setattr(_prctl, "_libc", None)

    assert set(sandbox.missing()) == {"no_new_privileges", "dies_with_parent", "not_dumpable"}
    with pytest.raises(OSError, match="Linux only"):
        NotDumpable().apply(CEILINGS)
