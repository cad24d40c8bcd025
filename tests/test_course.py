"""The course is read from its folders, and what is wrong with one is said in one sentence."""

import re
from pathlib import Path

import pytest

from nnkit.grader import course
from nnkit.grader.errors import AskedWrongly, CourseError, NoSolutions, UnknownSection

FACTS = """\
title = "ReLU"
summary = "Implement max(0, x)."
difficulty = 2
libraries = ["numpy"]
after = ["9", "011"]
points = 20
cpu_seconds = 3
forbidden = ["torch"]
hints = ["a", "b", "c"]

[[quiz]]
question = "Which?"
answers = ["this", "that"]
correct = 1
why = ["no", "yes"]
"""


@pytest.fixture
def add(tmp_path, monkeypatch):
    """Adds a section's folder to an empty course of the test's own."""
    (tmp_path / "exercises").mkdir()
    monkeypatch.setenv("NNKIT_COURSE", str(tmp_path))

    def add(name: str, facts: str = FACTS) -> Path:
        folder = tmp_path / "exercises" / name
        folder.mkdir()
        (folder / "section.toml").write_text(facts, encoding="utf-8")
        return folder

    return add


def test_a_section_says_what_its_file_says(add):
    """Every key arrives in the record, and what is not given is empty"""
    folder = add("s13_relu")

    section = course.section("13")

    assert (section.number, section.slug, section.name, section.title) == ("13", "relu", "s13_relu", "ReLU")
    assert (section.difficulty, section.libraries, section.after) == (2, ("numpy",), ("9", "11"))
    assert (section.points, section.cpu_seconds) == (20.0, 3.0)
    assert isinstance(section.points, float)
    assert (section.forbidden, section.imports, section.given, section.may_change) == (("torch",), (), (), ())
    assert section.hints == ("a", "b", "c")
    assert section.quiz == (course.Question("Which?", ("this", "that"), 1, ("no", "yes")),)
    assert section.folder == folder


def test_a_section_knows_where_its_files_are(add, tmp_path):
    """What students see lies in exercises/, what they do not see in solutions/, under the same name"""
    add("s13_relu")

    section = course.section("13")

    seen, unseen = tmp_path / "exercises" / "s13_relu", tmp_path / "solutions" / "s13_relu"
    assert (section.readme, section.stub) == (seen / "README.md", seen / "relu.py")
    assert (section.visible_suite, section.wrong_outputs) == (seen / "test_relu.py", seen / "wrong_outputs.bin")
    assert (section.reference, section.hidden_suite) == (unseen / "relu.py", unseen / "test_hidden.py")
    assert section.mistakes == unseen / "mistakes.py"


def test_a_section_may_use_others_and_be_opt_in(add):
    """`uses` names sections whose files come along, `opt_in` keeps it out of bulk grading; a letter sorts behind its number"""
    facts = FACTS.replace('after = ["9", "011"]', "after = []")
    add("s13_relu", facts)
    add("s38n_road", facts.replace("after = []", 'after = []\nuses = ["13"]\nopt_in = true'))
    add("s39_end", facts.replace("after = []", 'after = []\nuses = ["40"]'))

    road = course.section("38n")

    assert (road.uses, road.opt_in, course.section("13").opt_in) == (("13",), True, False)
    assert [each.name for each in course.used(road)] == ["s13_relu"]
    assert [each.number for each in course.sections()] == ["13", "38n", "39"]
    with pytest.raises(UnknownSection, match="no section 40"):
        course.used(course.section("39"))
    with pytest.raises(CourseError, match="`uses` names section 40"):
        course.check(course.sections())


def test_sections_stand_in_the_order_of_the_course(add):
    """9 before 29 before 29k before 30; numbers have no leading zero"""
    for name in ("s30_generalization", "s29k_conv_kernel", "s09_backprop", "s29_cnn"):
        add(name)

    assert [section.number for section in course.sections()] == ["9", "29", "29k", "30"]


def test_what_is_no_section_is_no_section(add, tmp_path):
    """Files and folders with other names are not read as sections"""
    add("s13_relu")
    add("drafts", "not even TOML")
    add("__pycache__", "nor this")
    (tmp_path / "exercises" / "s14_notes").write_text("a file")

    assert [section.name for section in course.sections()] == ["s13_relu"]


@pytest.mark.parametrize(
    "wanted",
    [
        "9",
        "09",
        "009",
        "s09",
        "backprop",
        "s09_backprop",
        "S09_Backprop",
        "s09_backprop/",
        "exercises/s09_backprop",
        "backprop.py",
        " 9 ",
    ],
)
def test_a_section_is_found_by_what_a_person_types(add, wanted):
    """Number, slug, folder, and what a shell completes"""
    add("s09_backprop")

    assert course.section(wanted).number == "9"


def test_one_section_is_read_without_the_others(add):
    """A broken neighbour does not keep a student from section 13"""
    add("s13_relu")
    add("s14_tanh", "broken")

    assert course.section("13").title == "ReLU"


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("41", "There is no section 41. Sections run from 9 to 29k; `nnkit list` shows them."),
        ("041", "There is no section 41. Sections run from 9 to 29k; `nnkit list` shows them."),
        ("backporp", "There is no section called 'backporp'. Did you mean `backprop`? `nnkit list` shows them all."),
        ("?", "There is no section called '?'. `nnkit list` shows them all."),
        ("", "There is no section called ''. `nnkit list` shows them all."),
        ("../..", "There is no section called '../..'. `nnkit list` shows them all."),
    ],
)
def test_an_unknown_section_is_told_what_there_is(add, wanted, sentence):
    """The sentence names the range, or the section that was probably meant"""
    add("s09_backprop")
    add("s29k_conv_kernel")

    with pytest.raises(UnknownSection, match=f"^{re.escape(sentence)}$") as caught:
        course.section(wanted)
    assert caught.value.exit_code == 2


def test_an_empty_course_says_so(add, tmp_path):
    """No sections at all is its own sentence"""
    assert course.sections() == []
    with pytest.raises(UnknownSection, match="has none at all"):
        course.section("13")


WRONG = [
    ('difficulty = 2', 'dificulty = 2', "unknown key `dificulty`. Did you mean `difficulty`?"),
    ('difficulty = 2', 'difficulty = 2\nxyz = 1', "unknown key `xyz`."),
    ('difficulty = 2', 'difficulty = 0', "`difficulty` must be a whole number from 1 to 5, not 0."),
    ('difficulty = 2', 'difficulty = true', "`difficulty` must be a whole number from 1 to 5, not True."),
    ('difficulty = 2', 'difficulty = 2.0', "`difficulty` must be a whole number from 1 to 5, not 2.0."),
    ('difficulty = 2\n', '', "the key `difficulty` is missing. docs/authoring.md says what it means."),
    ('title = "ReLU"', 'title = " "', "`title` must be a text that is not empty, not ' '."),
    ('title = "ReLU"', 'title = ["ReLU"]', "`title` must be a text that is not empty, not ['ReLU']."),
    ('points = 20', 'points = "20"', "`points` must be a number above 0, not '20'."),
    ('points = 20', 'points = nan', "`points` must be a number above 0, not nan."),
    ('points = 20', 'points = inf', "`points` must be a number above 0, not inf."),
    ('points = 20', 'points = 0', "`points` must be a number above 0, not 0."),
    ('cpu_seconds = 3', 'cpu_seconds = -1', "`cpu_seconds` must be a number above 0, not -1."),
    ('libraries = ["numpy"]', 'libraries = ["jax"]', """`libraries` must be ["numpy"] or ["numpy", "torch"], not ['jax']."""),
    ('after = ["9", "011"]', 'after = [11]', """`after` must be a list of section numbers as texts, like ["9", "29k"], not [11]."""),
    ('after = ["9", "011"]', 'after = ["relu"]', """`after` must be a list of section numbers as texts, like ["9", "29k"], not ['relu']."""),
    ('forbidden = ["torch"]', 'forbidden = "torch"', "`forbidden` must be a list of texts, none of them empty, not 'torch'."),
    ('forbidden = ["torch"]', 'forbidden = ["np dot"]', """`forbidden` must be a list of names like "numpy.tanh", not 'np dot'."""),
    ('forbidden = ["torch"]', 'forbidden = ["a", "a"]', "`forbidden` must be a list that names nothing twice, not ['a', 'a']."),
    ('hints = ["a", "b", "c"]', 'hints = ["a", "b"]', "`hints` has 2; 3 are expected, from a nudge to nearly code."),
    ('why = ["no", "yes"]', 'why = ["no"]', "quiz question 1: `why` has 1 explanations for 2 answers; every answer needs one, right or wrong."),
    ('why = ["no", "yes"]', 'because = ["no"]', "quiz question 1: unknown key `because`."),
    ('correct = 1', 'correct = 2', "quiz question 1: `correct` is 2, but the 2 answers are counted from 0."),
    ('correct = 1', 'correct = -1', "quiz question 1: `correct` must be an index into `answers`, counted from 0, not -1."),
    ('answers = ["this", "that"]', 'answers = ["this"]', "quiz question 1: `answers` has 1; at least 2 are expected."),
    ('[[quiz]]', '[quiz]', "`quiz` must be written as [[quiz]] tables, not"),
    ('title = "ReLU"', 'title = ReLU', "is not valid TOML"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "sentence"), WRONG, ids=[f"{wrong}" for _, wrong, _ in WRONG])
def test_wrong_facts_are_named_in_one_sentence(add, right, wrong, sentence):
    """File, key, what was expected, what stands there"""
    assert right in FACTS
    add("s13_relu", FACTS.replace(right, wrong))

    with pytest.raises(CourseError, match="^" + re.escape("exercises/s13_relu/section.toml")) as caught:
        course.section("13")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_facts_that_cannot_be_read_are_named(add):
    """A missing section.toml, one that is no UTF-8"""
    folder = add("s13_relu")
    (folder / "section.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(CourseError, match="is not UTF-8"):
        course.section("13")

    (folder / "section.toml").unlink()
    with pytest.raises(CourseError, match="cannot be read"):
        course.section("13")


@pytest.mark.parametrize("twin", ["s13_other", "s14_relu"])
def test_numbers_and_slugs_are_unique(add, twin):
    """Two sections of one number, or of one slug, could not be told apart"""
    add("s13_relu")
    add(twin)

    with pytest.raises(CourseError, match=f"(s13_relu and {twin}|{twin} and s13_relu) share"):
        course.sections()


def test_after_names_sections_that_exist(add):
    """A course that lacks what a section builds on is not whole"""
    add("s09_backprop", FACTS.replace('["9", "011"]', "[]"))
    add("s13_relu")
    with pytest.raises(
        CourseError, match=r"s13_relu/section\.toml: `after` names section 11, which this course does not have"
    ):
        course.check(course.sections())

    add("s11_neuron", FACTS.replace('["9", "011"]', "[]"))
    course.check(course.sections())


def test_a_misnamed_folder_is_found(add):
    """A section whose folder nobody discovers would be lost silently"""
    add("s9_backprop")

    with pytest.raises(CourseError, match="s9_backprop: a section's folder is called like s13_relu"):
        course.check(course.sections())


def test_solutions_are_where_a_checkout_has_them(add, tmp_path):
    """Without the folder there is None, and commands that need it say so"""
    assert course.solutions_folder() is None
    with pytest.raises(NoSolutions, match="not part of a student's install"):
        course.needs_solutions()

    (tmp_path / "solutions").mkdir()
    assert course.solutions_folder() == course.needs_solutions() == tmp_path / "solutions"


def test_a_course_without_exercises_says_so(tmp_path, monkeypatch):
    """NNKIT_COURSE that names a wrong folder is the user's mistake"""
    monkeypatch.setenv("NNKIT_COURSE", str(tmp_path / "nowhere"))

    with pytest.raises(AskedWrongly, match="NNKIT_COURSE names a folder without one"):
        course.sections()


def test_this_checkout_is_the_course_by_default(monkeypatch):
    """Without NNKIT_COURSE the course is the package's own"""
    monkeypatch.delenv("NNKIT_COURSE", raising=False)

    assert course.root() == Path(course.__file__).parent.parent
    assert course.folders()
