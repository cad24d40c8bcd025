"""A catalogue of mistakes is read as docs/authoring.md says, and what is wrong in it is said with file and line."""

import re

import pytest

from nnkit.grader.errors import CourseError
from nnkit.grader.mistakes import catalogue, reach

REFERENCE = '''\
"""Section 13."""

import math

import numpy as np

HALF = 0.5


def double(x):
    """Return 2x."""
    return 2.0 * x


class Base:
    """Counts."""

    def __init__(self):
        self.count = 0

    def add(self):
        self.count += 1
        return self.count
'''
HEAD = '"""What people get wrong."""\n\nimport numpy as np\nfrom nnkit.grader.mistakes import edit, mistake\n'


@pytest.fixture
def read(tmp_path):
    """Reads a catalogue that stands beside a small reference."""

    def read(text: str, reference: str = REFERENCE):
        (tmp_path / "reference.py").write_text(reference, encoding="utf-8")
        (tmp_path / "mistakes.py").write_text(HEAD + text, encoding="utf-8")
        return catalogue(tmp_path / "mistakes.py", tmp_path / "reference.py")

    return read


def run(entry) -> dict:
    """Execute a mutant."""
    names = {"__name__": "mutant"}
    exec(entry.mutant, names)
    return names


def test_wrong_code_takes_the_place_of_a_name(read):
    """The mutant is the reference with one function replaced, under the name that it replaces"""
    (entry,) = read(
        '@mistake("double", says="You tripled.", killed_by=["13.H1", "13.H2"])\ndef tripled(x):\n    return 3 * x\n'
    )

    assert (entry.name, entry.target, entry.says) == ("tripled", "double", "You tripled.")
    assert (entry.killed_by, entry.not_nameable, entry.line) == (("13.H1", "13.H2"), None, 6)
    assert run(entry)["double"](2) == 6
    assert run(entry)["double"].__name__ == run(entry)["double"].__qualname__ == "double"


def test_wrong_code_may_use_the_references_names_imports_and_helpers(read):
    """A mistake uses what the reference defines, what mistakes.py imports, and helpers that stand beside it"""
    entries = read(
        """
from fractions import Fraction

SIX = 6


def _helper(x):
    return HALF * x


@mistake("double", says="Halved.", killed_by=["13.H1"])
def halved(x):
    return float(_helper(x) + Fraction(SIX) - np.float64(6) + math.floor(0.5))


@mistake("Base", says="Counts twice.", killed_by=["13.H1"])
class twice(Base):
    def add(self):
        super().add()
        return super().add()
"""
    )

    halved, twice = entries
    assert run(halved)["double"](4.0) == 2.0
    assert run(twice)["Base"]().add() == 2
    assert run(halved)["Base"]().add() == 1


def test_other_decorators_travel_with_the_wrong_code(read):
    """Only the mark is taken off"""
    (entry,) = read(
        """
import functools


@mistake("double", says="Remembers.", killed_by=["13.H1"])
@functools.cache
def remembers(x):
    return 2.0 * x
"""
    )

    assert hasattr(run(entry)["double"], "cache_info")


def test_an_edit_changes_one_text_in_one_definition(read):
    """The text changes in the named definition; the same text elsewhere stays"""
    (entry,) = read(
        'edit("trebled", "double", says="3.", killed_by=["13.H1"], old="2.0 * x", new="3.0 * x")\n',
        REFERENCE + "\n\ndef other(x):\n    return 2.0 * x\n",
    )

    assert (run(entry)["double"](1), run(entry)["other"](1)) == (3.0, 2.0)


def test_a_mistake_may_say_why_it_cannot_be_named(read):
    """not_nameable is kept"""
    (entry,) = read(
        'edit("slow", "double", says="Slow.", killed_by=["13.H1"], old="2.0 * x", new="(2.0 * x)", not_nameable="only slow")\n'
    )

    assert entry.not_nameable == "only slow"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('@mistake("triple", says="x", killed_by=["1"])\ndef f(x): ...', "line 5: the reference defines no 'triple'"),
        ('@mistake(says="x", killed_by=["1"])\ndef f(x): ...', "line 5: it needs 1 name first"),
        ('@mistake("double", says="", killed_by=["1"])\ndef f(x): ...', "line 6: f needs says= (a sentence)"),
        ('@mistake("double", says="x", killed_by=[])\ndef f(x): ...', "and killed_by= (numbers of hidden tests)"),
        ('@mistake("double", says="x", killed_by="13.H1")\ndef f(x): ...', "and killed_by= (numbers of hidden tests)"),
        ('@mistake("double", says="x" * 2, killed_by=["1"])\ndef f(x): ...', "written out, not computed"),
        (
            '@mistake("double", says="x", killed_by=["1"], why="y")\ndef f(x): ...',
            "line 6: why is no option of a mistake",
        ),
        ('edit("e", "double", says="x", killed_by=["1"], old="2.0")', "line 5: edit needs old= and new=, both texts"),
        (
            'edit("e", "double", says="x", killed_by=["1"], old="4.0", new="5")',
            "'4.0' stands 0 times in double; once is needed",
        ),
        (
            'edit("e", "double", says="x", killed_by=["1"], old="x", new="y")',
            "'x' stands 3 times in double; once is needed",
        ),
        (
            'edit("e", "double", says="x", killed_by=["1"], old="2.0 *", new="2.0 * *")',
            "the mutant of e is no Python: ",
        ),
        ('edit("e", says="x", killed_by=["1"], old="2.0", new="3.0")', "line 5: it needs 2 names first"),
        ("def f(:", "line 5: invalid syntax"),
    ],
)
def test_what_is_not_written_as_it_should_be_is_said_with_its_line(read, text, sentence):
    """A wrong entry is one sentence with the file, the line and what is wrong"""
    with pytest.raises(CourseError, match=re.escape(sentence)) as caught:
        read(text)

    assert "mistakes.py, line " in str(caught.value)
    assert str(caught.value).endswith(".")


def test_two_mistakes_of_one_name_are_refused(read):
    """Names are unique"""
    one = '@mistake("double", says="x", killed_by=["1"])\ndef same(x):\n    return {}\n\n'

    with pytest.raises(CourseError, match="there are two mistakes called 'same'"):
        read(one.format(1) + one.format(2))


def test_a_mistake_inside_another_statement_is_no_secret(read):
    """An entry that stands in a loop or under a condition would not be read, so it is refused"""
    with pytest.raises(CourseError, match="line 6: a mistake stands at the top level"):
        read('for old in "23":\n    edit("e" + old, "double", says="x", killed_by=["1"], old="2.0", new=old)\n')


def test_a_mark_without_its_call_is_refused(read):
    """`@mistake` alone says nothing, and would be taken for a helper"""
    with pytest.raises(CourseError, match="line 5: a mistake stands at the top level"):
        read("@mistake\ndef f(x):\n    return x\n")


def test_what_a_name_can_come_to():
    """Through functions, classes, tables and annotated tables; not through what merely stands beside"""
    source = (
        "import math\n"
        "def inner(x): return math.exp(x)\n"
        "def other(x): return x\n"
        "TABLE = {'inner': inner}\n"
        "SLOPES: dict = {'other': lambda x: other(x)}\n"
        "def outer(name, x): return TABLE[name](x)\n"
        "class Layer:\n"
        "    def backward(self, x): return SLOPES['other'](x)\n"
    )

    found = reach(source)

    assert found["outer"] == {"outer", "TABLE", "inner"}
    assert found["Layer"] == {"Layer", "SLOPES", "other"}
    assert found["other"] == {"other"}
