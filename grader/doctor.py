"""`nnkit doctor`: what this machine offers, tried for real, and a handful of attacks on its own jail."""

from __future__ import annotations

import os
import platform
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ONLY_CHECKING, NnkitError

if TYPE_CHECKING:
    from .processes import Client
    from .student import Student

# What a layer that does not work here means, and how to get it.
CONSEQUENCES = {
    "control_groups": (
        "memory is bounded per worker only, not for all together",
        "run as root, or in a delegated group: systemd-run --user --scope -p Delegate=yes nnkit grade ...",
    ),
    "namespaces": (
        "no second lock on files, processes and the network",
        "allow unprivileged user namespaces (on Ubuntu: kernel.apparmor_restrict_unprivileged_userns=0), or run as root",
    ),
    "limits": ("nothing bounds memory and time", "use a system with resource limits"),
    "own_user": ("the worker has the grader's user: the system calls alone keep it off its files", "run as root"),
    "no_capabilities": ("a worker started by root keeps its rights", "use a kernel with capabilities"),
    "no_new_privileges": ("setuid programs work in the worker", "use Linux 3.5 or newer"),
    "landlock": ("no second lock on files and signals", "use Linux 5.13 or newer with landlock in its lsm= parameter"),
    "dies_with_parent": ("a worker may outlive a killed grader", "use Linux"),
    "not_dumpable": ("processes of the same user may trace a worker", "use Linux"),
    "system_calls": (
        "untrusted code is not run at all at the strict level",
        "use Linux 3.17 or newer with CONFIG_SECCOMP_FILTER on x86_64 or aarch64, and a container profile that allows seccomp",
    ),
}


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One layer of isolation on this machine."""

    layer: str
    works: bool
    why: str = ""
    consequence: str = ""
    cure: str = ""


@dataclass(frozen=True, slots=True)
class AttackReport:
    """One canary attack."""

    attack: str
    stopped: bool
    how: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the doctor found."""

    versions: dict[str, str]
    layers: tuple[LayerReport, ...]
    attacks: tuple[AttackReport, ...]
    refusal: str  # why untrusted code is not run here at the strict level; empty where it is

    @property
    def healthy(self) -> bool:
        """Whether submissions of others may be graded here."""
        return not self.refusal and all(attack.stopped for attack in self.attacks)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**asdict(self), "healthy": self.healthy}


def examine() -> Report:
    """Try every layer and, where the core works, attack it."""
    if not sys.platform.startswith("linux"):
        return Report(_versions(), (), (), ONLY_CHECKING)
    from .sandbox import ORDER, Jail

    jail = Jail("strict")
    layers = tuple(_layer(make.name, jail.missing.get(make.name)) for make in ORDER)
    attacks: tuple[AttackReport, ...] = ()
    if not jail.refusal:
        attacks = tuple(_attacks())
    return Report(_versions(), layers, attacks, jail.refusal or "")


def _layer(name: str, why: str | None) -> LayerReport:
    return LayerReport(name, works=True) if why is None else LayerReport(name, False, why, *CONSEQUENCES[name])


def _versions() -> dict[str, str]:
    found = {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }
    for name in ("numpy", "pytest", "torch", "gradescope-utils"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


# Canary attacks: each is one function of a hostile file; what it achieves is told by its answer, or seen from outside.

HOSTILE = b"""
import builtins, ctypes, os, socket, struct, subprocess

def read_a_file(path):
    return open(path).read()

def connect(port):
    plain = socket.socket()
    plain.connect(("127.0.0.1", port))
    return "connected"

def signal_the_grader(pid):
    os.kill(pid, 0)
    return "signalled"

def start_a_process():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return "forked"

def take_over_signals(pid):
    import fcntl
    fcntl.fcntl(1, fcntl.F_SETOWN, pid)
    return "owns the signals"

def limit_the_grader(pid):
    import resource
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, 1))
    return "limited"

def take_all_memory():
    return len(bytearray(1 << 36))

def answer_ahead():
    os.write(3, b"12345678" + b"NNK1" * 8)
    return "answered ahead"
"""


def _attacks() -> list[AttackReport]:
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        secret = Path(folder, "canary")
        secret.write_text("a canary's secret")
        attempts: list[tuple[str, str, list[Any]]] = [
            ("read a file of the grader's", "read_a_file", [str(secret)]),
            ("connect to a server on this machine", "connect", [listener.getsockname()[1]]),
            ("send a signal to the grader", "signal_the_grader", [os.getpid()]),
            ("start a process", "start_a_process", []),
            ("have the kernel send signals", "take_over_signals", [os.getpid()]),
            ("change the grader's limits", "limit_the_grader", [os.getpid()]),
            ("take 64 GiB of memory", "take_all_memory", []),
            ("answer before the question", "answer_ahead", []),
        ]
        return _run_all(attempts)


def _run_all(attempts: list[tuple[str, str, list[Any]]]) -> list[AttackReport]:
    from .processes import Zygote

    # These modules would not be there for a submission: the attacks are given more than a submission has.
    given = ("builtins", "ctypes", "os", "socket", "struct", "subprocess", "fcntl", "resource")
    with closing(Zygote(torch=False, modules=given)) as zygote, closing(zygote.client()) as client:
        return [
            AttackReport(what, *_attempt(lambda: _worker(client, given), name, args)) for what, name, args in attempts
        ]


def _worker(client: Client, given: tuple[str, ...]) -> Student:
    from .remote import RemoteTransport
    from .student import Student
    from .subjects import OUR_CEILINGS, OURS
    from .transport import Files

    return Student(RemoteTransport(client, OUR_CEILINGS, OURS), Files({"hostile.py": HOSTILE}, "hostile", "0", given))


def _attempt(make: Callable[[], Student], name: str, arguments: list[Any]) -> tuple[bool, str]:
    student = make()
    try:
        answer = getattr(student, name)(*arguments)
    except NnkitError:
        raise
    except Exception as refused:  # noqa: BLE001  whatever ended the attempt is what we want to know
        return True, f"{type(refused).__name__}: {refused}".rstrip(": ")
    finally:
        student.close()
    return False, f"it came back with {answer!r}"
