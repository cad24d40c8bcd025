"""No submission earns a point that it has not earned, reads a secret, or harms anything: the whole corpus, by the real command."""

import json
import re
import unicodedata

import pytest

from . import catalogue

pytestmark = pytest.mark.slow

JOBS = {"plain": 2, "timed": 2, "impatient": 4}


@pytest.fixture(scope="module")
def runs(world, corpus, grade, tmp_path_factory):
    """The corpus, graded at the strict level in one run of the command for each kind of attack."""

    class Runs(dict):
        def __missing__(self, kind):
            attacks = [attack for attack in corpus if attack.run == kind]
            self[kind] = grade(tmp_path_factory.mktemp(kind), world, attacks, run=kind, jobs=JOBS[kind])
            return self[kind]

    return Runs()


@pytest.fixture(params=list(JOBS))
def run(request, runs):
    """One of the runs."""
    return runs[request.param]


def passed(result):
    """The names of the tests that passed."""
    return {(test["suite"], test["name"]) for test in result["tests"] if test["status"] == "passed"}


def test_attack(attack, runs):
    """Its score is what its honest functions earn, its state is the expected one, and nothing was achieved"""
    results = runs[attack.run].results
    result, full = results[attack.name], results["ada"]["score"]

    assert "ACHIEVED" not in json.dumps(result), result["detail"]
    assert result["state"] == attack.ends, result["detail"]
    assert [test["name"] for test in result["tests"] if test["status"] == "unknown"] == []
    if attack.earns == "without relu":
        assert passed(result) == passed(results["without relu"])
    elif attack.earns == "less":
        assert result["score"] < full
    elif attack.earns != "any":
        assert result["score"] == {"all": full, "nothing": 0}[attack.earns]
    assert 0 <= result["score"] <= full


def test_hidden_tests_tell_nothing(attack, runs):
    """No text that hostile code made at run time stands in what is told of a hidden test"""
    result = runs[attack.run].results[attack.name]

    told = [test["message"] + test["diagnosis"] for test in result["tests"] if test["suite"] == "hidden"]
    assert [text for text in told if "EXFILTRATED" in text] == []


def test_neighbours(run):
    """Honest submissions between hostile ones earn everything"""
    for who in ("ada", "alan", "grace"):
        assert (run.results[who]["state"], run.results[who]["score"]) == ("graded", run.results[who]["max_score"])


def test_the_grader_lives(run):
    """The command ends with 0, and every submission has one result"""
    assert run.code == 0, run.said


def test_nothing_outside_is_touched(run):
    """No file, process, shared memory or message is left; no signal, connection or limit reached anybody"""
    assert run.harm == []


def test_canaries_stay_unread(run, world):
    """No text of a secret file, variable or memory stands in anything that was written or said"""
    assert [name for name, text in world.secrets.items() if text in run.everything] == []


def test_output_is_plain(run):
    """No control character, no turned text and no invisible one stands in the results or on the terminal"""
    texts = [run.said]
    for result in run.results.values():
        texts += [result["detail"], *(test["message"] + test["diagnosis"] for test in result["tests"])]

    strange = {char for text in texts for char in text if unicodedata.category(char)[0] == "C" and char != "\n"}
    assert strange == set()


def test_every_result_names_its_isolation(run, layers):
    """Every worker stood in all layers that this machine offers"""
    isolations = {result["isolation"] for result in run.results.values()}

    assert isolations == {"+".join(layers)}


def test_what_is_told_by_terminal_tricks(runs):
    """A test's message with escapes in it shows them escaped, so that its author can be asked about them"""
    messages = [
        test["message"] for test in runs["plain"].results["print_terminal"]["tests"] if test["suite"] == "visible"
    ]

    assert any("\\x1b[2J" in message and "\\u202e" in message for message in messages)


def test_corpus_is_large_and_described(corpus):
    """More than a hundred attacks; each says in its first line what it tries and in its second what must happen"""
    assert len(corpus) >= 110
    for attack in corpus:
        title, empty, outcome = attack.path.read_text().split('"""')[1].splitlines()[:3]
        assert (empty, bool(re.fullmatch(r"[A-Z].*\.\)?", title)), bool(re.fullmatch(r"[A-Z].*\.", outcome))) == (
            "",
            True,
            True,
        )
        assert attack.earns in {"all", "nothing", "without relu", "less", "any"}, attack.name


def test_every_known_cheat_has_its_attack(corpus):
    """The catalogue names files that are there, every file is in it, and every cheat is in the corpus or says why not"""
    names = {attack.path.stem for attack in corpus} | {path.stem for path in corpus[0].path.parent.glob("*.py")}
    named = set()
    for words in [*catalogue.JAIL.values(), *catalogue.KERNELS.values()]:
        for word in words.split():
            found = {name for name in names if name == word or (word[-1] == "*" and name.startswith(word[:-1]))}
            assert found, word
            named |= found

    assert names - named == {name for name in names if name.startswith("cheat_")} - named == set()
    assert set(catalogue.KERNELS) | set(catalogue.NOT_ON_A_CPU) == set(range(1, 53))
    assert not set(catalogue.KERNELS) & set(catalogue.NOT_ON_A_CPU)
