"""Seeds: public ones are the same everywhere, hidden ones follow from the secret, which is kept to its owner."""

import os
import stat

import pytest

from nnkit.grader.errors import AskedWrongly
from nnkit.grader.seeds import Seeds, read_secret

ADA, GRACE = Seeds(b"the secret of one course"), Seeds(b"the secret of another")


def test_visible_inputs_are_the_same_everywhere():
    """What is green at home is green in the grade: the secret plays no part, and the number never changes"""
    assert ADA.inputs("visible", "relu", "test_a") == GRACE.inputs("visible", "relu", "test_a") == 5092522078756453615


def test_hidden_inputs_follow_from_the_secret():
    """The same secret gives the same inputs, another one others"""
    assert ADA.inputs("hidden", "relu", "test_a") == Seeds(b"the secret of one course").inputs(
        "hidden", "relu", "test_a"
    )
    assert ADA.inputs("hidden", "relu", "test_a") != GRACE.inputs("hidden", "relu", "test_a")


def test_every_test_has_seeds_of_its_own():
    """Suite, section, test and purpose all count, and no two ways to write them fall together"""
    words = [
        (suite, section, test)
        for suite in ("visible", "hidden")
        for section in ("relu", "relu_", "13", "r")
        for test in ("test_a", "test_a[1]", "elutest_a")
    ]
    seeds = [make(*each) for each in words for make in (ADA.inputs, ADA.inside)]

    assert len(set(seeds)) == len(seeds)


def test_seeds_fit_every_generator():
    """From 0 to 2**63 - 1: torch takes no larger one"""
    assert all(0 <= ADA.inputs("hidden", "relu", f"test_{n}") < 2**63 for n in range(200))


def test_the_digest_names_the_secret_without_telling_it():
    """Sixteen signs, the same for the same secret, and nothing of the secret in them"""
    assert ADA.digest() == Seeds(ADA.secret).digest() != GRACE.digest()
    assert len(ADA.digest()) == 16
    assert ADA.secret.decode() not in ADA.digest()


def test_a_secret_is_made_once_for_its_owner_only(tmp_path):
    """64 hexadecimal digits in a file of mode 0600, whatever the umask; read again, they are the same"""
    path = tmp_path / "secret"
    before = os.umask(0)
    try:
        made = read_secret(path)
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(made) == 64
    assert read_secret(path) == made
    assert read_secret(tmp_path / "other") != made


def test_line_ends_are_no_part_of_a_secret(tmp_path):
    """An editor's newline changes no grade"""
    path = tmp_path / "secret"
    path.write_bytes(b"sixteen letters!\r\n")
    path.chmod(0o600)

    assert read_secret(path) == b"sixteen letters!"


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (lambda path: (path.write_text("x" * 40), path.chmod(0o644)), "may be read by others: run `chmod 600"),
        (lambda path: (path.write_text("short"), path.chmod(0o600)), "has 5 characters; it needs at least 16"),
        (lambda path: (path.write_text(" \n" * 20), path.chmod(0o600)), "has 0 characters"),
        (lambda path: path.mkdir(), "cannot be read"),
    ],
)
def test_a_secret_that_cannot_be_used(tmp_path, prepare, sentence):
    """Open to others, too short, empty, a folder: one sentence, and never the secret itself"""
    path = tmp_path / "secret"
    prepare(path)

    with pytest.raises(AskedWrongly) as raised:
        read_secret(path)

    assert sentence in str(raised.value)
    assert "x" * 40 not in str(raised.value)


def test_no_place_for_a_secret(tmp_path):
    """The sentence says how to name another file"""
    with pytest.raises(AskedWrongly, match="--secret-file"):
        read_secret(tmp_path / "no" / "such" / "folder")
