"""Every layer of the jail holds something: with it alone an attack is stopped that succeeds without any.

In the attacks' files `held by` names the layers of which each is enough, and `under` those that stand in every case,
because without them one could not see it. Here the layers are put together by hand, which no command offers.
"""

import contextlib
import os
import select
import signal
from itertools import chain

import numpy as np
import pytest

from nnkit.grader import course, subjects
from nnkit.grader.processes import Patience, Zygote
from nnkit.grader.remote import Budget, RemoteTransport
from nnkit.grader.sandbox import ORDER, Ceilings
from nnkit.grader.student import Student

LAYERS = tuple(layer.name for layer in ORDER)
MEMORY = 288 << 20
BUDGET = Budget(30.0, 120.0, Patience(15.0, 60.0), Patience(15.0, 60.0))


class Standing:
    """Workers that stand in some layers only."""

    def __init__(self, layers):
        if os.getuid() and {"system_calls", "landlock"} & set(layers):
            layers = (*layers, "no_new_privileges")  # an ordinary user has these only together
        self.section = course.section("13")
        left_out = tuple(layer for layer in LAYERS if layer not in layers)
        self.zygote = Zygote(torch=False, level="best", without=("refusal", *left_out))
        self.client = self.zygote.client()

    def student(self, files):
        files = subjects.submission(self.section, files)
        return Student(RemoteTransport(self.client, Ceilings(MEMORY, 40), BUDGET), files)

    def close(self):
        self.client.close()
        self.zygote.close()


@pytest.fixture(scope="module")
def last():
    """The layers of the case before, and the workers in them: cases of the same layers follow each other."""
    kept = {}
    yield kept
    for standing in kept.values():
        standing.close()


@pytest.fixture
def jail(request, layers, last):
    """Workers in the layers that the test asks for."""
    lacking = [layer for layer in request.param if layer not in layers]
    if lacking:
        pytest.skip(f"{' and '.join(lacking)} cannot be had here")
    if request.param not in last:
        while last:
            last.popitem()[1].close()
        last[request.param] = Standing(request.param)
    return last[request.param]


def succeeds(jail, attack, world, files_of):
    """Whether an attack gets what it wants; one that only the world notices is asked of the world."""
    # What an attack before this one has left is not its doing.
    world.harm() if attack.seen == "outside" else world.repair()
    changes = {"memory": MEMORY * 5 // 4, "small": True}
    victim = None
    if attack.aims_at == "sibling":
        victim = jail.student({"relu.py": b"relu = print"})
        with pytest.raises(AttributeError):
            victim.relu.nothing  # noqa: B018 - asked for, so that its process is there
        changes["pid"] = victim.transport._process.pid
    student = jail.student(files_of(attack, world, **changes))
    said = ""
    try:
        student.relu(np.array([-1.0, 2.0]))
    except Exception as error:  # whatever ends the attack, what counts is what it says
        said = str(error)
    finally:
        for each in filter(None, (student, victim)):
            each.close()
    return bool(world.harm()) if attack.seen == "outside" else "ACHIEVED" in said


@pytest.mark.skipif(os.getuid() != 0, reason="an ordinary user has no rights that layers could take away")
def test_attack_succeeds_without_layers(jail, attack, world, files_of):
    """With none of the layers that hold it, the attack gets what it wants: the corpus can fail"""
    assert succeeds(jail, attack, world, files_of)


def test_layer_alone_stops_the_attack(jail, attack, world, files_of):
    """Of the layers that are said to hold an attack, each is enough"""
    assert not succeeds(jail, attack, world, files_of)


def test_every_layer_holds_something(corpus):
    """No layer is decoration: each holds an attack, or the end of the zygote (see below)"""
    held = set(chain.from_iterable(attack.held_by for attack in corpus))

    assert held | {"dies_with_parent"} == set(LAYERS)


@pytest.mark.parametrize(
    ("layers_on", "outlives"),
    [((), True), (("dies_with_parent",), False), (("namespaces",), False)],
    ids=["nothing", "dies_with_parent", "namespaces"],
)
def test_worker_and_killed_zygote(layers_on, outlives, layers):
    """A worker that is being asked outlives a zygote that is killed; tied to it, or in its namespace, it does not"""
    if not set(layers_on) <= set(layers):
        pytest.skip("cannot be had here")
    standing = Standing(layers_on)
    process = standing.client.fork(Ceilings(MEMORY, 40))
    ended = select.poll()
    ended.register(process._pidfd, select.POLLIN)
    try:
        standing.zygote._process.kill()
        standing.zygote._process.wait()

        assert bool(ended.poll(0 if outlives else 20_000)) is not outlives
    finally:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process._pidfd, signal.SIGKILL)
        process.abandon()
        standing.close()
