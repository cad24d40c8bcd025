"""Whoever is killed, and whatever a worker is doing then: nothing is left, and the job in hand is done again."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nnkit.grader import course, grading
from nnkit.grader.exchange import plain
from nnkit.grader.processes import Zygote
from nnkit.grader.sandbox import Jail
from nnkit.grader.seeds import Seeds

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
PATIENCE = 30  # seconds until a test gives up waiting for what must happen
VICTIMS = {"the grader": 0, "the one who asks": 1, "the zygote": 2, "the zygote inside its namespaces": -1}


def state_of(pid):
    """A process's state, its parent and its session, or None where there is none."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return words[0], int(words[1]), int(words[3])


def bearing(mark):
    """Every process that was started with a mark in its environment, or forked from one that was."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state = state_of(path.name)
            if state is not None and state[0] != "Z" and mark.encode() in (path / "environ").read_bytes():
                found.append(int(path.name))
    return found


def await_end(pids):
    """Wait until none of these is there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            ended = select.poll()
            ended.register(handle, select.POLLIN)
            assert ended.poll(1000 * PATIENCE), f"process {pid} is left: {state_of(pid)}"
            os.close(handle)


@pytest.fixture
def start(tmp_path):
    """Starts a grader whose processes all bear a mark; at the end none of them is left."""
    mark = f"/nnkit-mark-{os.urandom(6).hex()}"
    path = os.pathsep.join([str(HERE.parents[2]), mark])
    started = []

    def make(without, state):
        grader = subprocess.Popen(
            [sys.executable, str(HERE / "grader_to_kill.py"), json.dumps(without), state],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        started.append(grader)
        return grader, json.loads(grader.stdout.readline()), lambda: bearing(mark)

    yield make
    for grader in started:
        grader.kill()
        grader.communicate()
    await_end(bearing(mark))


def left_on_disk():
    """What layers of isolation make outside of processes."""
    return {path for path in Path("/tmp").glob("nnkit-*") if "nnkit-world" not in path.name}


@pytest.mark.parametrize("without", [(), ("namespaces",)], ids=["", "no_namespaces"])
@pytest.mark.parametrize("state", ["waits", "loops", "answers", "is stopped"])
@pytest.mark.parametrize("victim", VICTIMS)
def test_nothing_outlives_a_kill(start, victim, state, without):
    """No worker stays behind a killed grader, a killed zygote, or the killed process that asked it; no file either"""
    if "namespaces" not in Jail("strict", without).names and victim == "the zygote inside its namespaces":
        pytest.skip("there are no namespaces here")
    before = left_on_disk()
    grader, pids, processes = start(without, "loops" if state == "is stopped" else state)
    worker, zygote = pids[3], state_of(pids[3])[1]  # the worker's parent; it may live inside of namespaces
    if state == "is stopped":
        os.kill(worker, signal.SIGSTOP)
        while state_of(worker)[0] != "T":
            time.sleep(0.001)
    victim_pid = zygote if VICTIMS[victim] < 0 else pids[VICTIMS[victim]]

    os.kill(victim_pid, signal.SIGKILL)
    await_end([worker])

    if victim == "the one who asks":  # the others go on
        assert state_of(pids[0]) is not None
        assert state_of(pids[2]) is not None
        grader.kill()
    await_end({pids[2], zygote, worker})
    if victim != "the grader":
        grader.kill()
    grader.wait(PATIENCE)
    await_end(pids)
    assert processes() == []
    assert left_on_disk() <= before


def test_groups_of_a_killed_zygote_are_removed_by_the_next():
    """Control groups are folders: who was killed could not remove its own"""
    if "control_groups" not in Jail("strict").names:
        pytest.skip("no control group can be made here")
    zygote = Zygote(torch=False)
    zygote.wait_until_ready()
    client = zygote.client()
    from nnkit.grader.sandbox import Ceilings

    process = client.fork(Ceilings(1 << 30, 60))
    groups = set(Path("/sys/fs/cgroup").glob(f"**/nnkit-{zygote.pid}-*"))
    os.kill(zygote.pid, signal.SIGKILL)
    await_end([process.pid])
    process.abandon()
    client.close()
    zygote.close()
    assert groups

    Jail("strict")

    assert [group for group in groups if group.exists()] == []


# The job in hand


def loops_once(small_course, victim, once):
    """Let the first hidden test kill somebody from a thread of its own, while the worker that it asks loops."""
    small_course.replace(
        small_course.hidden,
        "    x = rng.standard_normal(shape)\n",
        f"    import os, signal, threading\n    from pathlib import Path\n    from nnkit.grader import processes\n\n"
        f"    if Path({str(once)!r}).exists():\n"
        f"        Path({str(once)!r}).unlink()\n"
        f"        threading.Timer(0.3, os.kill, ({victim}, signal.SIGKILL)).start()\n"
        "        try:\n"
        "            student.double(np.full(3, 13.13))\n"
        "        finally:\n"
        "            assert 'killed' == 'too late', 'the loop ended before the kill'\n"
        "    x = rng.standard_normal(shape)\n",
    )


LOOPS = """\
    if np.all(np.asarray(x) == 13.13):
        while True:
            pass
    return 2.0 * x
"""


@pytest.mark.parametrize("victim", ["the session", "the zygote"])
@pytest.mark.parametrize("without", [(), ("namespaces",)], ids=["", "no_namespaces"])
def test_the_job_in_hand_is_done_again(small_course, tmp_path, monkeypatch, victim, without):
    """Killed while the worker loops: the submission is graded once more and has every point, as have its neighbours"""
    zygotes = tmp_path / "zygotes"
    make = Zygote.__init__

    def with_layers(self, *arguments, **options):
        make(self, *arguments, **{**options, "without": without})
        zygotes.write_text(str(self.pid))

    monkeypatch.setattr(Zygote, "__init__", with_layers)
    reference = small_course.reference.read_text("utf-8")
    for who in ("ada", "alan", "grace"):
        (tmp_path / "class" / who).mkdir(parents=True)
        text = reference.replace("    return 2.0 * x\n", LOOPS) if who == "alan" else reference
        (tmp_path / "class" / who / "small.py").write_text(text, "utf-8")
    once = tmp_path / "once"
    once.touch()
    pid = "os.getpid()" if victim == "the session" else f"int(Path({str(zygotes)!r}).read_text())"
    loops_once(small_course, pid, once)
    section = course.section("13")
    submissions = [
        submission for submission in plain.read(tmp_path / "class", [section]).submissions if submission.who != "ada"
    ]

    results = grading.grade(submissions, [section], Seeds(b"for tests only"), jobs=1)

    assert not once.exists()
    assert [(result.submission, result.state, result.score) for result in results] == [
        ("alan", "graded", 20),
        ("grace", "graded", 20),
    ]
