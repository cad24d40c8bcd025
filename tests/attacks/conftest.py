"""The corpus, what it is aimed at, and a run of the real command over it."""

import contextlib
import json
import os
import re
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import nnkit
from nnkit.grader.sandbox import ORDER, Jail

HERE = Path(__file__).parent
ORDINARY_USER = 65_433  # of environments.py
KIT = Path(nnkit.__file__).parent
FACT = re.compile(r"^# (earns|ends|held by|under|seen|aims at|run|brings|only): (.+)$", re.MULTILINE)
# What stays of section 13's hidden tests in the runs that are not about time: the others cost most of it.
# And of its catalogue of mistakes: a failing test is compared with every one of them.
MISTAKES = 4
KEPT = (
    "test_extremes", "test_values", "test_kind_of_number", "test_elu_of_large_numbers", "test_dead_units",
    "test_two_halves", "test_negative_alpha",
)  # fmt: skip
ALL_CASES, FEWER_CASES = "SHAPES = [(), (0,), (4, 4), (2, 3, 5)]", "SHAPES = [(4, 4)]"
BRANCHES = ("aa", "ae", "b", "h")  # attacks are sorted in between ada, alan and grace
NEIGHBOURS = ("ada", "alan", "grace")
BASELINES = {
    "without relu": "raise RuntimeError('no relu')"
}  # what is earned without a relu is measured, not written down


@dataclass(frozen=True)
class Attack:
    """One file of the corpus. What must happen is written in it."""

    path: Path
    earns: str = "all"  # all, nothing, without relu, less, any
    ends: str = "graded"
    held_by: tuple[str, ...] = ()  # layers of which each alone is enough
    under: tuple[str, ...] = ()  # layers without which that cannot be seen
    seen: str = "inside"  # who notices that it succeeds: itself, or only the world outside
    aims_at: str = "grader"
    run: str = "plain"  # plain, timed (with the section's tests of time), impatient (deadlines are short)
    brings: tuple[str, ...] = ()  # further names under which the file is handed in
    only: str = ""  # machine

    @property
    def name(self) -> str:
        return self.path.stem

    @classmethod
    def read(cls, path: Path) -> "Attack":
        facts = {key.replace(" ", "_"): text for key, text in FACT.findall(path.read_text())}
        lists = {key: tuple(facts.pop(key, "").replace(",", " ").split()) for key in ("held_by", "under", "brings")}
        return cls(path, **facts, **lists)

    def __str__(self) -> str:
        return self.name


CORPUS = [Attack.read(path) for path in sorted((HERE / "corpus").glob("*.py"))]
CORPUS = [attack for attack in CORPUS if attack.only in ("", os.uname().machine)]


def pytest_generate_tests(metafunc):
    """One test for every attack, or for every attack and the layers that it stands before."""
    if "jail" in metafunc.fixturenames and "attack" in metafunc.fixturenames:
        pairs = list(_cases(alone=metafunc.function.__name__ == "test_layer_alone_stops_the_attack"))
        pairs.sort(key=lambda pair: (pair[0], str(pair[1])))  # one zygote after the other
        ids = [f"{'+'.join(layers) or 'nothing'}-{attack}" for layers, attack in pairs]
        metafunc.parametrize(("jail", "attack"), pairs, ids=ids, indirect=["jail"])
    elif "attack" in metafunc.fixturenames:
        metafunc.parametrize("attack", CORPUS, ids=str)


def _cases(*, alone):
    """Pairs of layers and an attack: each layer that holds it alone, or no more than stands in every case."""
    for attack in CORPUS:
        if attack.held_by:
            # Capabilities are what a grader that is root has to lose.
            holders = [holder for holder in attack.held_by if os.getuid() == 0 or holder != "no_capabilities"]
            for some in [{holder, *attack.under} for holder in holders] if alone else [attack.under]:
                yield tuple(layer.name for layer in ORDER if layer.name in some), attack


# What is attacked


class World:
    """Files, variables, listeners and a process, all of them of no use to anybody but an attacker.

    Args:
        user: whose they are, where that is not the user who runs the tests.
    """

    def __init__(self, user: int | None = None) -> None:
        self.token = secrets.token_hex(6)
        self.secrets = {
            name: f"CANARY-{name}-{secrets.token_hex(16)}" for name in ("file", "variable", "memory", "course")
        }
        self.folder = Path(tempfile.mkdtemp(prefix="nnkit-world-"))
        self.folder.chmod(0o755)
        self.drop = self.folder / "drop"
        self.drop.mkdir()
        self.drop.chmod(0o777)
        for name, mode in (("secret", 0o600), ("public", 0o644)):
            path = self.folder / name
            path.write_text(self.secrets["file"])
            path.chmod(mode)
        self.course_secret = self.folder / "course_secret"
        self.course_secret.write_text(self.secrets["course"] + "\n")
        self.course_secret.chmod(0o600)
        if user is not None:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, user, user)
        self.as_root = self.folder / "as_root"
        if os.getuid() == 0:
            shutil.copy("/usr/bin/id", self.as_root)
            self.as_root.chmod(0o4755)
        self.user = user
        self._listen()
        self._start_canary()

    def _listen(self) -> None:
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.path = socket.socket(socket.AF_UNIX)
        self.path.bind(str(self.folder / "socket"))
        (self.folder / "socket").chmod(0o777)
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind(f"\0nnkit-{self.token}")
        for listener in (self.path, self.abstract):
            listener.listen()
        for listener in (self.tcp, self.udp, self.path, self.abstract):
            listener.setblocking(False)

    def _start_canary(self) -> None:
        command = [sys.executable, "-I", "-S", str(HERE / "canary.py")]
        if self.user is not None:
            command = [sys.executable, str(HERE / "environments.py"), "user", "--", *command]
        self.canary = subprocess.Popen(
            command, stdout=subprocess.PIPE, env={**os.environ, "NNKIT_CANARY": self.secrets["memory"]}
        )
        assert self.canary.stdout is not None
        self.address = int(self.canary.stdout.readline())
        self._unharmed = self._state_of_canary()

    def _state_of_canary(self) -> tuple[object, ...]:
        pid = self.canary.pid
        limits = Path(f"/proc/{pid}/limits").read_text()
        return os.getpriority(os.PRIO_PROCESS, pid), os.sched_getaffinity(pid), limits

    def targets(self, **changes: object) -> bytes:
        """The addresses, as a module that is handed in with every attack."""
        here = {
            "token": self.token, "folder": str(self.folder), "drop": str(self.drop), "secret": str(self.folder / "secret"),
            "public": str(self.folder / "public"), "pid": self.canary.pid, "address": self.address,
            "length": len(self.secrets["memory"]), "tcp": self.tcp.getsockname()[1], "udp": self.udp.getsockname()[1],
            "unix": str(self.folder / "socket"), "abstract": f"nnkit-{self.token}", "as_root": str(self.as_root),
            "key": int(self.token, 16) % 2**31, "secret_backwards": self.secrets["course"][::-1],
            "answers": [str(KIT / "solutions" / "s13_relu" / name) for name in ("test_hidden.py", "relu.py")],
            "memory": 8 << 30, "small": False, **changes,
        }  # fmt: skip
        return "".join(f"{name} = {value!r}\n" for name, value in here.items()).encode()

    def harm(self) -> list[str]:
        """What has happened to all this, and what was left behind, since the last look."""
        return [*self._harm_to_canary(), *self._arrivals(), *self._left_behind(), *self._changed_files()]

    def _harm_to_canary(self) -> list[str]:
        if self.canary.poll() is not None:
            return ["the canary process was ended"]
        assert self.canary.stdout is not None
        self.canary.send_signal(signal.SIGUSR2)
        found = []
        while (line := int(self.canary.stdout.readline())) != signal.SIGUSR2:
            found.append(f"the canary process got signal {line}")
        if (now := self._state_of_canary()) != self._unharmed:
            found.append(f"the canary process was {self._unharmed} and is {now}")
            resource.prlimit(self.canary.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            os.setpriority(os.PRIO_PROCESS, self.canary.pid, self._unharmed[0])
            os.sched_setaffinity(self.canary.pid, self._unharmed[1])
        return found

    def _arrivals(self) -> list[str]:
        found = []
        for name, listener in (("TCP", self.tcp), ("path", self.path), ("abstract", self.abstract)):
            with contextlib.suppress(BlockingIOError):
                while True:
                    listener.accept()[0].close()
                    found.append(f"somebody connected ({name})")
        with contextlib.suppress(BlockingIOError):
            while True:
                self.udp.recv(1000)
                found.append("a datagram arrived")
        return found

    def _left_behind(self) -> list[str]:
        found = []
        for place in (self.drop, Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")):
            for path in place.glob(f"*{self.token}*"):
                found.append(f"left: {path}")
                path.rmdir() if path.is_dir() else path.unlink()
        for name, kind in (("shm", "-M"), ("msg", "-Q"), ("sem", "-S")):
            key = str(int(self.token, 16) % 2**31)
            if any(line.split()[0] == key for line in Path(f"/proc/sysvipc/{name}").read_text().splitlines()):
                found.append(f"left: System V {name}")
                subprocess.run(["ipcrm", kind, key], check=True)
        for pid in self.processes():
            found.append(f"left: process {pid}")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return found

    def processes(self) -> list[int]:
        """Processes that an attack has given the world's name, or that were started with it in their environment."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (
                    f"nnkit-{self.token}"[:15] in (path / "comm").read_text()
                    or self.mark in (path / "environ").read_bytes()
                ):
                    found.append(int(path.name))
        return found

    @property
    def mark(self) -> bytes:
        """What stands in the environment of every process of a run: a folder on the path of modules."""
        return f"/nnkit-mark-{self.token}".encode()

    def repair(self) -> None:
        """Make files and limits what they were."""
        self._changed_files()
        self._harm_to_canary()

    def _changed_files(self) -> list[str]:
        found = []
        for name, mode in (("secret", 0o600), ("public", 0o644)):
            path = self.folder / name
            status = path.stat()
            if (
                path.read_text() != self.secrets["file"]
                or status.st_mode & 0o777 != mode
                or status.st_uid != (self.user or os.getuid())
            ):
                found.append(f"{path} was changed")
                path.write_text(self.secrets["file"])
                path.chmod(mode)
                os.chown(path, self.user or os.getuid(), self.user or os.getgid())
        return found

    def close(self) -> None:
        self.canary.kill()
        self.canary.wait()
        assert self.canary.stdout is not None
        self.canary.stdout.close()
        for listener in (self.tcp, self.udp, self.path, self.abstract):
            listener.close()
        shutil.rmtree(self.folder)


@pytest.fixture(scope="session")
def make_world():
    """Make what is attacked, the ordinary user's of the other environments where that is asked for."""

    @contextlib.contextmanager
    def make(*, user=False):
        made = World(ORDINARY_USER if user else None)
        try:
            yield made
        finally:
            made.close()

    return make


@pytest.fixture(scope="module")
def world(make_world):
    """What is attacked."""
    with make_world() as made:
        yield made


# Running the command


@dataclass
class Run:
    """What came out of grading the corpus, or a part of it."""

    code: int
    said: str  # standard output and standard error
    results: dict[str, dict]  # by the attack's name, or the neighbour's
    harm: list[str] = field(default_factory=list)

    @property
    def everything(self) -> str:
        """All text that a person or a program gets to see."""
        return self.said + json.dumps(self.results, ensure_ascii=False)


def variables_of(world: World) -> dict[str, str]:
    """Variables of a process that grades: with a secret, and with a mark that all its processes bear."""
    path = os.pathsep.join([str(KIT.parent), world.mark.decode()])
    return {**os.environ, "NNKIT_CANARY": world.secrets["variable"], "PYTHONPATH": path}


def files_of(attack: Attack, world: World, **changes: object) -> dict[str, bytes]:
    """What is handed in for an attack."""
    source = attack.path.read_bytes()
    return {
        "relu.py": source,
        "honest.py": (KIT / "solutions" / "s13_relu" / "relu.py").read_bytes(),
        "arsenal.py": (HERE / "arsenal.py").read_bytes(),
        "targets.py": world.targets(**changes),
        **dict.fromkeys(attack.brings, source),
    }


def short_course(folder: Path) -> Path:
    """The course with section 13 only, with its hidden tests and mistakes cut short."""
    for part in ("exercises", "solutions"):
        shutil.copytree(KIT / part / "s13_relu", folder / part / "s13_relu")
    hidden = folder / "solutions" / "s13_relu" / "test_hidden.py"
    text = hidden.read_text()
    opening, *tests = re.split(r"\n\n\n(?=@)", text)
    kept = [test for test in tests if any(f"def {name}(" in test for name in KEPT)]
    assert len(kept) == len(KEPT)
    text = "\n\n\n".join([opening, *kept]) + "\n"
    assert text.count(ALL_CASES) == 1
    hidden.write_text(text.replace(ALL_CASES, FEWER_CASES))
    mistakes = folder / "solutions" / "s13_relu" / "mistakes.py"
    opening, *all_mistakes = re.split(r"^(?=@mistake|edit\()", mistakes.read_text(), flags=re.MULTILINE)
    mistakes.write_text("".join([opening, *all_mistakes[:MISTAKES]]))
    return folder


def grade(
    folder: Path, world: World, attacks: list[Attack], *, run: str = "plain", environment: str = "", jobs: int = 2,
    options: tuple[str, ...] = (),
) -> Run:  # fmt: skip
    """Grade attacks beside honest neighbours, with the command as an instructor types it."""
    course = KIT if run == "timed" else short_course(folder / "course")
    honest = (KIT / "solutions" / "s13_relu" / "relu.py").read_text()
    names: dict[str, str] = {who: who for who in NEIGHBOURS}
    handed_in: dict[str, dict[str, bytes]] = {who: {"relu.py": honest.encode()} for who in NEIGHBOURS}
    for name, body in BASELINES.items():
        who = f"zz_{name.replace(' ', '_')}"
        names[who] = name
        handed_in[who] = {"relu.py": honest.replace("return np.maximum(x, 0.0)", body).encode()}
    for place, attack in enumerate(attacks):
        who = f"{BRANCHES[place % len(BRANCHES)]}_{attack.name}"
        names[who] = attack.name
        handed_in[who] = files_of(attack, world)
    for who, files in handed_in.items():
        (folder / "submissions" / who).mkdir(parents=True)
        for name, content in files.items():
            (folder / "submissions" / who / name).write_bytes(content)
    command = [
        sys.executable, *(["-m", "nnkit.cli"] if run != "impatient" else [str(HERE / "impatient.py")]),
        "grade", str(folder / "submissions"), "--section", "13", "--jobs", str(jobs),
        "--secret-file", str(world.course_secret), "--out", str(folder / "out"), *options,
    ]  # fmt: skip
    if environment:
        for parent in (folder, *folder.parents[:2]):
            parent.chmod(0o777)  # the ordinary user reads and writes here
        command = [sys.executable, str(HERE / "environments.py"), environment, "--", *command]
    variables = {
        **variables_of(world),
        "NNKIT_COURSE": str(course),
    }
    done = subprocess.run(
        command, capture_output=True, text=True, env=variables, check=False, timeout=280, cwd=KIT.parent
    )
    path = folder / "out" / "results.json"
    assert path.exists(), done.stderr[-3000:] + done.stdout[-3000:]
    results = {names[each["submission"]]: each for each in json.loads(path.read_text())["results"]}
    return Run(done.returncode, done.stdout + done.stderr, results, world.harm())


@pytest.fixture(name="grade", scope="session")
def _grade():
    """Grade attacks with the command."""
    return grade


@pytest.fixture(scope="session")
def corpus():
    """All attacks that this machine can run."""
    return CORPUS


@pytest.fixture(scope="session")
def layers():
    """The layers of isolation that this machine offers."""
    return Jail("strict").names


@pytest.fixture(name="files_of", scope="session")
def _files_of():
    """What is handed in for an attack."""
    return files_of


@pytest.fixture(scope="session")
def enter():
    """The command that runs a script of this folder in another environment."""

    def make(environment, script, *arguments):
        changed = [sys.executable, str(HERE / "environments.py"), environment, "--"] if environment else []
        return [
            *changed,
            sys.executable,
            *(["-m", script] if script == "nnkit.cli" else [str(HERE / script)]),
            *arguments,
        ]

    return make


@pytest.fixture(name="variables_of", scope="session")
def _variables_of():
    """Variables of a process that grades."""
    return variables_of
