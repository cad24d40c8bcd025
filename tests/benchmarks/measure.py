"""What the benchmarks share: the cost of a whole command, and submissions to grade."""

import os
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from nnkit.grader.environment import ONE_THREAD

ROOT = Path(__file__).parents[2]
COURSE = Path(__file__).parent / "course"
LEAD = Path(__file__).parent / "lead.py"

# The student fixture of bare pytest: the submission is imported, nothing else.
BARE_CONFTEST = """
import importlib.util, os
import pytest, numpy as np

@pytest.fixture(scope="session")
def student():
    spec = importlib.util.spec_from_file_location("submission", os.environ["SUBMISSION"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

@pytest.fixture
def rng():
    return np.random.default_rng(0)
"""


@dataclass(frozen=True)
class Cost:
    """Of a whole command with all its children, in seconds."""

    wall: float
    cpu: float


def cost(command, *, course=None, cwd=None, expect=(0,), **environment):
    """Run a command to its end and return what it cost."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    full = {**os.environ, **ONE_THREAD, **environment, **({"NNKIT_COURSE": str(course)} if course else {})}
    done = subprocess.run(command, check=False, capture_output=True, cwd=cwd, env=full)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode in expect, done.stdout.decode()[-3000:] + done.stderr.decode()[-3000:]
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def nnkit(*arguments):
    """The command line of the `nnkit` command."""
    return [sys.executable, "-m", "nnkit.cli", *map(str, arguments)]


def submissions(folder, source, count):
    """Make `count` equal submissions of one file and return their folder."""
    for number in range(count):
        (folder / f"s{number:04}").mkdir(parents=True)
        shutil.copy(source, folder / f"s{number:04}" / source.name)
    return folder


def bare_folder(folder, section):
    """A folder with both suites of a section and a conftest that imports the submission."""
    folder.mkdir()
    (folder / "conftest.py").write_text(BARE_CONFTEST)
    for suite in (
        *(COURSE / "exercises" / section).glob("test_*.py"),
        COURSE / "solutions" / section / "test_hidden.py",
    ):
        shutil.copy(suite, folder)
    return folder
