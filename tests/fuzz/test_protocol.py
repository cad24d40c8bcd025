"""Whatever bytes a worker answers with, a test gets a value, an error of the student's or the end of the worker."""

import os
import random
import signal

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nnkit.grader import codec

from . import fuzz_protocol

OURS = {"value", "AttributeError", "StudentError", "ChangedArgument", "ValueError", "MemoryError", "StopIteration"}
FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=20),
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.tuples(st.integers(0, 10), inner, inner).map(list),
    max_leaves=12,
)
answers = st.builds(
    lambda kind, rest: [codec.LIST, kind, *rest],
    st.sampled_from(["value", "error", "back", 3]),
    st.lists(trees, max_size=5),
)
frames = st.builds(
    lambda tree, buffers: b"".join(map(bytes, codec.framed(msgspec.msgpack.encode(tree), buffers))),
    answers | trees,
    st.lists(st.binary(max_size=30), max_size=2),
)
said = st.one_of(
    frames.map(lambda frame: fuzz_protocol.NONCE + frame),
    st.binary(max_size=60),
    st.binary(max_size=60).map(lambda rest: fuzz_protocol.NONCE + rest),
)


@pytest.fixture(scope="module")
def grader():
    """One that asks puppets in the place of workers, with questions whose numbers they know."""
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    pid = fuzz_protocol.ended_process()
    with fuzz_protocol.known_nonces():
        yield fuzz_protocol.Grader(pid)
    os.waitpid(pid, 0)
    signal.signal(signal.SIGPIPE, before)


@FEW
@example([fuzz_protocol.NONCE + b"".join(fuzz_protocol.frame([[1.0, 2.0], None]))], fuzz_protocol.ask_for_data)
@given(st.lists(said, min_size=1, max_size=3), st.sampled_from(fuzz_protocol.ASKED))
def test_any_words(grader, words, question):
    """Random bytes, and well-formed frames of anything: never an exception that is neither the student's nor our word"""
    assert grader.hear(grader.student(), words, question) in OURS


@pytest.mark.parametrize("seed", range(4))
def test_words_with_mistakes(grader, seed):
    """Answers as workers give them, with a few bytes or one value wrong"""
    chance = random.Random(seed)

    became = {fuzz_protocol.one_answer(grader, chance) for _ in range(200)}

    assert {"value", "StudentError"} < became <= OURS, "some are answers still"


def test_an_array_in_the_place_of_a_word(grader):
    """What is compared with a word is a word: comparing an array with one would raise numpy's error in the grader"""
    import numpy as np

    words = [fuzz_protocol.NONCE + b"".join(fuzz_protocol.frame([np.ones(4), 1, None]))]

    assert grader.hear(grader.student(), words, fuzz_protocol.ask_for_data) == "StudentError"


def test_any_question():
    """A worker answers whatever it is asked: a frame with a value or an error"""
    chance, worker = random.Random(0), fuzz_protocol.a_worker()

    for _ in range(500):
        fuzz_protocol.one_question(worker, chance)
