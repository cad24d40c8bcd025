"""What is wrong with a section's files, as far as reading tells: names, imports, texts, leaks."""

import pytest

from nnkit.grader import course, inspection


@pytest.fixture
def problems(small_course):
    """What inspection complains about, by check."""

    def problems() -> dict[str, str]:
        return {name: why for name, why in inspection.inspect(course.section("13")) if why}

    return problems


def test_a_section_in_order_has_no_problems(problems):
    """Nothing is said of a good section"""
    assert problems() == {}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("h: float = 0.5", "h: float = 0.25", "slope is (f: Callable[[float], float], x: float, h: float=0.25) -> float in the stub"),
        ("-> float:", "-> object:", "-> object in the stub and"),
        ("def double(", "def twice(", "double is missing in the stub and (x: np.ndarray) -> np.ndarray in the reference"),
        ("def step(self, w", "def step(self, v", "Walker.step is (self, v: np.ndarray"),
        ("class Walker:", "class Walker(dict):", "Walker is (dict) in the stub and () in the reference"),
        ("lr: float", "lr: int", "Walker.__init__ is (self, lr: int) -> None in the stub"),
    ],
)  # fmt: skip
def test_signatures_of_stub_and_reference_agree(small_course, problems, old, new, sentence):
    """A name, an argument, a default, a hint or a base that differs is said with both sides"""
    small_course.replace(small_course.stub, old, new)

    assert sentence in problems()["names and signatures"]


def test_private_names_may_differ(small_course, problems):
    """Helpers of the reference are its own"""
    small_course.append(small_course.reference, "\n\ndef _helper():\n    pass\n")
    small_course.replace(small_course.reference, "    def step(", "    def _help(self):\n        pass\n\n    def step(")

    assert problems() == {}


def test_an_empty_stub_is_told(small_course, problems):
    """A section without a public name teaches nothing"""
    small_course.stub.write_text('"""Nothing."""\n')
    small_course.reference.write_text('"""Nothing."""\n')

    assert problems()["names and signatures"] == "the stub defines no public name"


@pytest.mark.parametrize("module", ["torch", "numpy.testing", "os", "nnkit.grader.student", "small", ".small"])
def test_a_suite_imports_only_what_suites_may(small_course, problems, module):
    """A suite that imports torch, or anything else beside the few, is told with its line"""
    line = "from .small import double" if module == ".small" else f"import {module}"
    small_course.replace(small_course.hidden, "import pytest\n", f"import pytest\n{line}\n")

    assert "test_hidden.py, line 5: a suite imports only " in problems()["imports"]
    assert problems()["imports"].endswith(f"not {module.removeprefix('.')}")


def test_a_visible_suite_has_no_decorators_of_gradescope(small_course, problems):
    """A student's install lacks gradescope-utils"""
    small_course.append(small_course.visible, "\nfrom gradescope_utils.autograder_utils.decorators import weight\n")

    assert "not gradescope_utils.autograder_utils.decorators" in problems()["imports"]


@pytest.mark.parametrize("which", ["stub", "reference"])
def test_stub_and_reference_import_what_students_may(small_course, problems, which):
    """Neither asks for a module that the section does not have, even inside a function"""
    small_course.append(getattr(small_course, which), "\n\ndef _late():\n    import scipy.special\n")

    assert problems()["imports"].endswith("scipy.special is not available to students")
    assert f"{'exercises' if which == 'stub' else 'solutions'}" not in problems()["imports"], (
        "the folder's name is enough"
    )


def test_a_lesson_has_a_length_and_sources(small_course, problems):
    """A README that is missing, short or without sources is told"""
    readme = small_course.exercises / "README.md"
    readme.write_text(readme.read_text().replace("## Sources", "## Ends"))
    assert problems()["lesson"] == "README.md names no sources"

    readme.write_text("# Small\n\n## Sources\n")
    assert problems()["lesson"] == "README.md has 20 characters; a lesson that teaches has at least 1500"

    readme.unlink()
    assert problems()["lesson"] == "README.md is missing"


def test_a_section_has_a_quiz(small_course, problems):
    """No quiz is a problem"""
    path = small_course.exercises / "section.toml"
    path.write_text(path.read_text().partition("[[quiz]]")[0])

    assert problems() == {"quiz": "section.toml has no quiz"}


def test_every_test_has_a_title(small_course, problems):
    """A test without a docstring is told with its line"""
    small_course.replace(small_course.visible, '    """The slope of x^3 at 2 with h = 0.5 is 12.25"""\n', "")

    assert problems()["titles"] == (
        "test_small.py, line 13: test_slope_by_hand has no docstring, which is the title a student reads"
    )


LEAK = "self.velocity = self.velocity + self.lr * grad"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.md", f"\nJust write `{LEAK}` there.\n"),
        ("test_small.py", f"\n# {LEAK}\n"),
        ("small.py", "\n# self.velocity  =  self.velocity+self.lr*grad\n"),
        ("helper.py", f"\n{LEAK}\n"),
        ("section.toml", f'why = ["no", "{LEAK}"]\n'),
    ],
)
def test_no_text_of_the_solution_is_shown(small_course, problems, name, text):
    """A line of the reference is found in any file that students get, however it is spaced"""
    path = small_course.exercises / name
    if name == "section.toml":
        small_course.replace(path, 'why = ["no", "yes"]\n', text)
    else:
        path.touch()
        small_course.append(path, text)

    assert problems() == {"no solution in exercises/": f"{name} holds line 29 of the reference"}


def test_hints_may_come_close_and_short_lines_are_nobodys(small_course, problems):
    """The third hint is nearly code by design; a line that everybody would write is no leak"""
    small_course.replace(
        small_course.exercises / "section.toml", '["a", "b", "c"]', f'[\n    "a",\n    "b",\n    "{LEAK}",\n]'
    )
    small_course.append(small_course.exercises / "README.md", "\n    return 2.0 * x\n")

    assert problems() == {}


def test_given_helpers_are_shown_on_purpose(small_course, problems):
    """The text of a helper that the stub carries ready-made is no leak"""
    helper = "\n\ndef helper(x):\n    y = np.sqrt(np.abs(x)) + np.cbrt(x)\n    return y\n"
    small_course.append(small_course.stub, helper)
    small_course.append(small_course.reference, helper)
    small_course.append(small_course.exercises / "README.md", "\nhelper: y = np.sqrt(np.abs(x)) + np.cbrt(x)\n")
    small_course.replace(small_course.exercises / "section.toml", "after = []", 'after = []\ngiven = ["helper"]')

    assert problems() == {}
