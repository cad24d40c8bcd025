"""The command is light, its errors are sentences, and its exit codes mean what they say."""

import errno
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nnkit import __version__, cli
from nnkit.grader.errors import NoSolutions, OurFault

HEAVY = {"numpy", "torch", "pytest", "rich", "pydantic", "msgspec", "scipy"}
FACTS = """\
title = "ReLU α"
summary = "Implement max(0, x)."
difficulty = 2
libraries = ["numpy"]
after = []
points = 20
cpu_seconds = 3
hints = ["a", "b", "c"]
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A course of one section, and an empty folder to stand in."""
    section = tmp_path / "course" / "exercises" / "s13_relu"
    section.mkdir(parents=True)
    (section / "section.toml").write_text(FACTS, encoding="utf-8")
    (section / "README.md").write_text("# ReLU\n")
    (section / "relu.py").write_text("def relu(x):\n    raise NotImplementedError\n")
    (section / "test_relu.py").write_text("def test_relu(student): ...\n")
    monkeypatch.setenv("NNKIT_COURSE", str(tmp_path / "course"))
    monkeypatch.delenv("NNKIT_DEBUG", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    folder = tmp_path / "ada"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def nnkit(*arguments, **options):
    """Run the command as a person does, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "nnkit.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@pytest.fixture
def run(capsys, monkeypatch):
    """Run the command in this process; return its exit code, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["nnkit", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return run


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["list"], ["fetch", "13"], ["hint", "13"], ["reset", "13"], ["list", "--json"]],
    ids=" ".join,
)
def test_small_commands_import_nothing_heavy(here, arguments):
    """--help, list, fetch, hint and reset load no numpy, torch, pytest, rich, pydantic or msgspec"""
    code = (
        "import sys; sys.argv = ['nnkit', *sys.argv[1:]]\n"
        "from nnkit.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    (here / "s13_relu").mkdir()
    (here / "s13_relu" / "relu.py").write_text("mine\n")

    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=True
    )

    loaded = set(re.findall(r"'([\w-]+)'", done.stderr.splitlines()[-1]))
    assert {"typer", "nnkit"} <= loaded
    assert loaded & HEAVY == set()


def test_help_stands_in_panels(here, run):
    """Students' commands come first, each with a sentence"""
    code, out, err = run("--help")

    assert (code, err) == (0, "")
    panels = re.findall(r"^(\w[\w ]*):$", out, flags=re.MULTILINE)
    assert panels[:2] == ["Options", "Students"]
    assert panels[2:] == [panel for panel in ("Instructors", "Course authors") if panel in panels]
    assert re.search(r"^  fetch +Get sections", out, flags=re.MULTILINE)
    assert re.search(r"^  list +Show all", out, flags=re.MULTILINE)


def test_every_command_has_help_and_a_known_panel():
    """A command without a sentence or in a panel of its own would not be found"""
    for command in cli.app.registered_commands:
        assert command.callback is not None
        assert command.callback.__doc__, command.callback.__name__
        assert command.cls is cli.PlainCommand, command.callback.__name__
        assert command.rich_help_panel in {cli.STUDENTS, cli.INSTRUCTORS, cli.AUTHORS}, command.callback.__name__


def test_the_version(run):
    """--version prints it and nothing else"""
    assert run("--version") == (0, f"nnkit {__version__}\n", "")


def test_list_shows_the_course(here, run):
    """Number, title, difficulty, points, libraries, and how far one is"""
    assert run("list")[1].splitlines()[1].split() == ["13", "ReLU", "α", "**", "20", "numpy", "not", "fetched"]

    run("fetch", "13")
    assert run("list")[1].splitlines()[1].endswith("untouched")

    (here / "s13_relu" / "relu.py").write_text("mine")
    assert run("list")[1].splitlines()[1].endswith("changed")


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["fetch", "all"], ["fetch", "relu", "--to", "a b"], ["hint", "13"], ["reset", "13"]],
    ids=" ".join,
)
def test_json_is_exactly_one_document(here, run, arguments):
    """{"version": 1, "command": ..., "results": [...]} and no prose"""
    run("fetch", "13")
    (here / "s13_relu" / "relu.py").write_text("mine")

    code, out, err = run(*arguments, "--json")

    document = json.loads(out)
    assert (code, err) == (0, "")
    assert list(document) == ["version", "command", "results"]
    assert (document["version"], document["command"]) == (1, arguments[0])
    assert [result["section"] for result in document["results"]] == ["13"]


def test_fetch_edit_reset(here, run):
    """What a new user does: fetch, write, start afresh, with the work in the backup"""
    assert run("fetch", "13")[1] == "s13_relu: fetched. Read README.md, write relu.py, then `nnkit check 13`.\n"
    mine = here / "s13_relu" / "relu.py"
    mine.write_text("mine")

    code, out, _ = run("reset", "relu")

    assert code == 0
    assert "Your work is kept in" in out
    assert "NotImplementedError" in mine.read_text()
    assert [path.read_text() for path in (here / ".nnkit" / "backup" / "s13_relu").iterdir()] == ["mine"]


def test_fetch_from_within_a_section_puts_the_next_one_beside_it(here, run, monkeypatch):
    """Nobody wants s13_relu/s13_relu"""
    run("fetch", "13")
    monkeypatch.chdir(here / "s13_relu")

    run("fetch", "13")

    assert not (here / "s13_relu" / "s13_relu").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fetch", "41"], "There is no section 41. Sections run from 13 to 13; `nnkit list` shows them."),
        (["reset", "13"], "There is no s13_relu/relu.py in {here} or above. `nnkit fetch 13` puts it here."),
        (["fetch", "rellu"], "There is no section called 'rellu'. Did you mean `relu`? `nnkit list` shows them all."),
    ],
    ids=["no such section", "not fetched", "misspelt"],
)
def test_what_was_asked_wrongly_is_one_sentence(here, run, arguments, sentence):
    """On standard error, exit code 2, no traceback, nothing on standard output"""
    assert run(*arguments) == (2, "", sentence.format(here=here) + "\n")


@pytest.mark.parametrize(
    "arguments",
    [["fetsch"], ["fetch"], ["reset", "13", "14"], ["list", "--jason"], ["fetch", "13", "--to"]],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(here, run, arguments):
    """Unknown commands and options, too few or too many arguments"""
    code, out, err = run(*arguments)

    assert (code, out) == (2, "")
    assert "Error: " in err
    assert "Traceback" not in err


@pytest.fixture
def raising(monkeypatch):
    """Makes `nnkit list` raise what it is given."""

    def raising(error):
        def overview(_folder):
            raise error

        monkeypatch.setattr("nnkit.grader.workspace.overview", overview)

    return raising


@pytest.mark.parametrize(
    ("error", "code"),
    [(NoSolutions("There are none."), 2), (OurFault("The disk is gone."), 3)],
    ids=["asked wrongly", "our fault"],
)
def test_our_errors_end_with_their_own_code(here, run, raising, error, code):
    """The sentence on standard error, and the exit code of its kind"""
    raising(error)

    assert run("list") == (code, "", f"{error}\n")


def test_what_nobody_foresaw_ends_with_3_and_is_kept(here, run, raising, tmp_path, monkeypatch):
    """One sentence, and a file with the traceback, the version and the command"""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    raising(ZeroDivisionError("division by zero"))

    code, out, err = run("list", "--json")

    assert (code, out, err.count("\n")) == (3, "", 1)
    assert err.startswith("nnkit itself failed (ZeroDivisionError: division by zero); this is not about your code.")
    [kept] = tmp_path.glob("nnkit-*.txt")
    assert str(kept) in err
    assert f"nnkit {__version__}" in kept.read_text()
    assert "nnkit list --json" in kept.read_text()
    assert "Traceback" in kept.read_text()


def test_what_nobody_foresaw_is_said_even_without_a_disk(here, run, raising, monkeypatch):
    """No room for the traceback is no reason for another one"""
    raising(ZeroDivisionError("division by zero"))
    monkeypatch.setattr(
        "tempfile.NamedTemporaryFile", lambda *_args, **_options: (_ for _ in ()).throw(OSError("full"))
    )

    code, _, err = run("list")

    assert code == 3
    assert err.endswith("NNKIT_DEBUG=1 shows where.\n")


def test_a_full_disk_is_nobody_s_bug(here, run, raising):
    """Exit code 3 and what to do; no report is asked for, and none is written"""
    raising(OSError(errno.ENOSPC, "No space left on device"))

    code, out, err = run("list")

    assert (code, out) == (3, "")
    assert err == "No space is left for what nnkit writes; free some and run the command again.\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_output_that_nothing_takes(here):
    """`nnkit list > /dev/full`: the same, wherever the writing fails"""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "nnkit.cli", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )

    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert done.stderr.startswith("No space is left")


@pytest.mark.skipif(os.name == "nt", reason="a shell closes descriptors otherwise there")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_closed_descriptors(here, closed):
    """Nobody listens: the exit code is as always, and what belongs to one stream is not on the other"""
    command = f"{shlex.quote(sys.executable)} -m nnkit.cli"
    right = subprocess.run(
        f"{command} list {closed}", shell=True, capture_output=True, text=True, timeout=60, check=False
    )
    wrong = subprocess.run(
        f"{command} fetch 41 {closed}", shell=True, capture_output=True, text=True, timeout=60, check=False
    )

    assert (right.returncode, right.stderr) == (0, "")
    assert (wrong.returncode, wrong.stdout) == (2, "")


def test_colour_that_is_asked_for_reaches_a_pipe(run, monkeypatch):
    """FORCE_COLOR is for those who read a file of it, as with pytest"""
    monkeypatch.setattr("nnkit.grader.check.sections", lambda *_: [])
    monkeypatch.setattr("nnkit.grader.check.following", lambda *_: None)
    monkeypatch.setattr("nnkit.grader.report.terminal.checked", lambda *_: "\x1b[32mok\x1b[0m")

    assert run("check")[1] == "\x1b[32mok\x1b[0m\n"


@pytest.mark.parametrize("command", [command.callback.__name__ for command in cli.app.registered_commands])
def test_help_speaks_to_people(run, command):
    """No Python types, no brackets in brackets"""
    names = {"list_sections": "list"}

    code, out, _err = run(names.get(command, command.replace("_", "-")), "--help")

    assert code == 0
    assert "list[" not in out
    assert "[[" not in out


@pytest.mark.skipif(os.name == "nt", reason="a folder in use cannot be removed there")
@pytest.mark.parametrize(
    "arguments", [["list"], ["fetch", "13"], ["hint", "13"], ["check", "13"], ["reset", "13"]], ids=" ".join
)
def test_a_folder_that_is_gone(here, run, arguments):
    """Whoever stands in a removed folder is told so: exit code 2, no report"""
    here.rmdir()

    assert run(*arguments) == (2, "", "The folder you stand in is gone; go to another one and run the command again.\n")


def test_a_section_that_is_named_twice_is_fetched_once(here, run):
    """Under whatever names"""
    assert run("fetch", "13", "relu", "013")[1].count("fetched") == 1
    assert run("fetch", "13", "all")[1] == "s13_relu: nothing is newer than what you have.\n"


def test_debug_shows_the_traceback(here, run, raising, monkeypatch):
    """NNKIT_DEBUG=1 is for those who mend nnkit"""
    monkeypatch.setenv("NNKIT_DEBUG", "1")
    raising(ZeroDivisionError("division by zero"))

    code, _, err = run("list")

    assert code == 3
    assert err.startswith("Traceback")
    assert err.rstrip().endswith("ZeroDivisionError: division by zero")


def test_control_c_ends_with_130(here, run, raising):
    """Stopped, without a traceback"""
    raising(KeyboardInterrupt())

    code, out, err = run("list")

    assert (code, out, err.strip()) == (130, "", "Stopped.")


@pytest.mark.skipif(os.name == "nt", reason="pipes end otherwise there")
def test_a_reader_that_goes_away_is_no_error(here):
    """`nnkit list | head -0` says nothing on standard error"""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "nnkit.cli", "list"],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(write)

    assert done.stderr == ""


def test_a_terminal_without_greek_shows_a_question_mark(here):
    """A title with α does not end an old terminal's command"""
    done = nnkit("list", env={**os.environ, "PYTHONIOENCODING": "latin-1"})

    assert (done.returncode, done.stderr) == (0, "")
    assert "ReLU ?" in done.stdout


def test_plain_values_are_converted_without_pydantic():
    """Texts, numbers, paths and lists arrive as the types that the function names; a wrong number is said"""
    import typer
    from typer.testing import CliRunner

    seen = {}
    app = typer.Typer(rich_markup_mode=None)

    @app.command(cls=cli.PlainCommand)
    def command(
        words: list[str], *, count: int = 3, ratio: float = 0.5, to: Path | None = None, tag: list[str] | None = None
    ) -> None:
        """Remember what came."""
        seen.update(words=words, count=count, ratio=ratio, to=to, tag=tag)

    runner = CliRunner()
    assert runner.invoke(app, ["a", "b", "--count", "4", "--to", "x/y", "--tag", "t"]).exit_code == 0
    assert seen == {"words": ["a", "b"], "count": 4, "ratio": 0.5, "to": Path("x/y"), "tag": ["t"]}

    wrong = runner.invoke(app, ["a", "--count", "four"])
    assert wrong.exit_code == 2
    assert "'four' is not a number." in wrong.output
