"""Who tests the tests: the proof that a section's suites are right and sharp (design.md, "Who tests the tests").

The reference passes everything; the stub fails every single test; every mistake and every generic mutant dies in the
hidden suite; every mistake is named; names agree; the texts are there; nothing of a solution lies in `exercises/`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import platformdirs

from . import course, data, inspection, release, session
from .course import Section
from .diagnosis import mutant_files, reached
from .environment import ONE_THREAD
from .errors import AskedWrongly, NnkitError
from .mistakes import Mistake, reach
from .mutants import Generic, generic
from .results import PlannedTest, TestOutcome
from .seeds import Seeds
from .student import Student
from .subject import no_diagnosis
from .subjects import Makers, makers, with_used, zygote_for
from .transport import Files

Mode = Literal["local", "graded"]
TEST_TIMEOUT = 300.0
TRAINING = "training"  # a tag that suites put on tests which train for seconds
# What a section's files may make of whoever reads them: no Python, no UTF-8, not there, not as docs/authoring.md says.
UNREADABLE = (NnkitError, OSError, SyntaxError, ValueError)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was proved, or not."""

    what: str  # "mistake", "generic", "reference", "stub", "texts", ...
    name: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """All findings about one section in one mode."""

    section: str
    mode: Mode
    seeds: int
    tests: int
    seconds: float  # of processor time of this process and its workers
    findings: tuple[Finding, ...]
    reference_seconds: float = 0.0  # the same for the reference's first run on both suites, without workers

    @property
    def ok(self) -> bool:
        """Whether everything was proved."""
        return bool(self.findings) and all(finding.ok for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**asdict(self), "ok": self.ok}

    def count(self, what: str, *, ok: bool | None = None) -> int:
        """How many findings there are of one kind."""
        return sum(1 for f in self.findings if f.what == what and (ok is None or f.ok == ok))


@dataclass(frozen=True, slots=True)
class Task:
    """What to prove about one section."""

    section: str
    mode: Mode
    seeds: int
    brief: bool  # only the reference, the stub and one mistake


def cores() -> int:
    """How many processes may run at once here."""
    return len(os.sched_getaffinity(0))


def cache_folder() -> Path:
    """Where green proofs are kept."""
    return Path(platformdirs.user_cache_dir("nnkit")) / "validate"


def tasks(sections: Sequence[Section], mode: str | None, seeds: int) -> list[Task]:
    """Spread the work: by default all of it in this process, and a sample in jailed workers."""
    if mode not in (None, "local", "graded", "both"):
        raise AskedWrongly(f"There is no mode {mode!r}; there are local, graded and both.")
    if seeds < 1:
        raise AskedWrongly(f"--seeds is {seeds}; with less than 1 nothing is proved.")
    modes: dict[str | None, list[tuple[Mode, bool]]] = {
        None: [("local", False), ("graded", True)],
        "local": [("local", False)],
        "graded": [("graded", False)],
        "both": [("local", False), ("graded", False)],
    }
    return [Task(section.number, place, seeds, brief) for section in sections for place, brief in modes[mode]]


def prove_all(
    todo: Sequence[Task], jobs: int, progress: Callable[[Proof], None], cache: Path | None = None
) -> list[Proof]:
    """Prove everything, in processes of their own; sections already proved with the same files are taken as they are.

    Args:
        todo: the work.
        jobs: how many processes at once.
        progress: called with every proof as soon as it is there.
        cache: folder of earlier green proofs, or None.
    """
    os.environ.update(ONE_THREAD)
    if jobs < 1:
        raise AskedWrongly(f"--jobs is {jobs}; it must be 0, for one process per core, or more.")
    with _pool(jobs) as pool:
        running: list[tuple[Task, str, Proof | None, Future[Proof] | None]] = []
        for task in todo:
            name = digest(task) if cache is not None else ""  # taken now: files may change while they are proved
            known = recall(task, cache, name)
            running.append((task, name, known, None if known is not None else pool.submit(prove, task)))
        proofs = []
        for task, name, known, future in running:
            proof = known
            if proof is None:
                assert future is not None
                proof = future.result()
                if cache is None or digest(task) == name:
                    remember(proof, cache, name)
            progress(proof)
            proofs.append(proof)
    return proofs


@contextlib.contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes to prove in. Whatever stops this one, Ctrl-C or a bug, ends them too, and begins nothing new."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=jobs, mp_context=context, max_tasks_per_child=1) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise


@session.unheard()
def prove(task: Task) -> Proof:
    """Prove one section in one mode."""
    section = course.section(task.section)
    start = _cpu()
    findings: list[Finding] = []
    planned: list[PlannedTest] = []
    reference_seconds = 0.0
    zygote = zygote_for([section]) if task.mode == "graded" else None
    client = zygote.client() if zygote else None
    try:
        with makers(section, Seeds(b"validate"), client) as made:
            try:
                prover = _Prover(made, task, findings)
                made.digits = data.subset  # a proof is the same on every machine, whatever has been fetched there
                if not made.mistakes:
                    findings.append(Finding("mistake", "catalogue", ok=False, detail="mistakes.py states no mistake"))
                suites = [section.visible_suite, section.hidden_suite]

                def keep(tests: list[PlannedTest]) -> None:
                    planned.extend(tests)
                    prover.planned = tests
                    for suite in {"visible", "hidden"} - {test.suite for test in tests}:
                        findings.append(Finding("course", f"{suite} suite", ok=False, detail="there is no test in it"))

                session.run(suites, prover.visits(), points=section.points, planned=keep, timeout=TEST_TIMEOUT)
                reference_seconds = prover.reference_seconds
                if task.mode == "local":
                    findings += [Finding("texts", name, not why, why) for name, why in inspection.inspect(section)]
                    fresh = release.is_fresh(section)
                    told = (
                        "" if fresh else "it is not what the mistakes answer now: nnkit validate --write-wrong-outputs"
                    )
                    findings.append(Finding("texts", "wrong_outputs.bin", fresh, told))
            except UNREADABLE as error:
                findings.append(Finding("course", section.name, ok=False, detail=str(error)))
    finally:
        if client is not None:
            client.close()
        if zygote is not None:
            zygote.close()
    seconds, of_reference = round(_cpu() - start, 2), round(reference_seconds, 2)
    return Proof(task.section, task.mode, task.seeds, len(planned), seconds, tuple(findings), of_reference)


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@dataclass(slots=True)
class _Prover:
    """Leads reference, stub and mutants through one session and collects the findings."""

    made: Makers
    task: Task
    findings: list[Finding]
    planned: list[PlannedTest] = field(default_factory=list)
    reached: dict[str, set[str]] = field(default_factory=dict)  # by hidden test: names of the reference it comes to
    reference_seconds: float = 0.0

    def visits(self) -> Iterator[session.Visit]:
        made, seeds = self.made, [Seeds(f"validate {number}".encode()) for number in range(self.task.seeds)]
        numbers = {test.number for test in self.planned if test.suite == "hidden"}
        yield from self._reference(seeds)
        yield from self._stub(seeds[0])
        chosen = made.mistakes[:1] if self.task.brief else made.mistakes
        for wrong in chosen:
            unknown = set(wrong.killed_by) - numbers
            if unknown:
                told = f"it names tests that there are not: {', '.join(sorted(unknown))}"
                self.findings.append(Finding("mistake", wrong.name, ok=False, detail=told))
            else:
                yield from self._mistake(wrong, seeds)
        if not self.task.brief:
            for mutant in generic(made.section.reference.read_text("utf-8")):
                yield from self._generic(mutant, seeds[0])

    def _visit(self, files: Files, seeds: Seeds, **options: object) -> session.Visit:
        self.made.seeds = seeds
        subject = self.made.subject(files)
        return session.Visit(subject, done=lambda _: subject.student.close(), **options)  # type: ignore[arg-type]

    def _reference(self, seeds: list[Seeds]) -> Iterator[session.Visit]:
        wrong: list[str] = []
        known = reach(self.made.section.reference.read_text("utf-8"))
        for number, each in enumerate(seeds):
            visit = self._visit(self.made.reference_files, each)

            def heard(outcome: TestOutcome, number: int = number, student: Student = visit.subject.student) -> bool:
                if outcome.status != "passed":
                    wrong.append(f"seed {number}: {outcome.name}: {outcome.message}")
                transcript = student.transcript
                if outcome.suite == "hidden" and transcript:
                    self.reached[outcome.name] = reached(transcript, known)
                return True

            start = _cpu()
            visit.heard = heard
            yield visit
            if number == 0:
                self.reference_seconds = _cpu() - start
        told = "; ".join(wrong[:3])
        self.findings.append(Finding("reference", "passes every test", not wrong, told))

    def _stub(self, seeds: Seeds) -> Iterator[session.Visit]:
        section = self.made.section
        files = with_used(section, section.stub.read_bytes())
        passed: list[str] = []
        failed: list[str] = []

        def heard(outcome: TestOutcome) -> bool:
            (failed if outcome.status == "failed" else passed).append(outcome.name)
            return True

        yield self._visit(files, seeds, heard=heard)
        ok = not passed and len(failed) == len(self.planned) > 0
        self.findings.append(Finding("stub", "fails every test", ok, f"not failed: {', '.join(passed[:5])}" * (not ok)))

    def _mistake(self, wrong: Mistake, seeds: list[Seeds]) -> Iterator[session.Visit]:
        files = mutant_files(self.made.reference_files, wrong)
        killers: set[str] = set()
        names: set[str] = set()
        survived: list[int] = []
        for number, each in enumerate(seeds):
            dead: list[str] = []
            # At the first seed every named test is tried, so that a name in the bracket means what it says.
            visit = self._visit(
                files, each, wants=lambda test: test.suite == "hidden" and test.number in wrong.killed_by,
                heard=_watcher(dead, names, killers, stop=number > 0),
            )  # fmt: skip
            if number > 0:
                visit.subject.diagnose = no_diagnosis
            yield visit
            if not dead:
                survived.append(number)
        if not survived and wrong.says not in names and wrong.not_nameable is None:
            yield self._visit(files, seeds[0], heard=_watcher([], names, set(), stop=False))
        self.findings.append(_judged(wrong, killers, names, survived))

    def _generic(self, mutant: Generic, seeds: Seeds) -> Iterator[session.Visit]:
        section = self.made.section
        files = with_used(section, mutant.source.encode())
        dead: list[str] = []
        different: list[str] = []

        def wants(test: PlannedTest) -> bool:
            """Tests that come to what is wrong. A whole training is for mistakes that name it: many of these change nothing."""
            comes = mutant.target in self.reached.get(test.name, {mutant.target})
            return test.suite == "hidden" and TRAINING not in test.tags and comes

        visit = self._visit(files, seeds, wants=wants)

        def heard(outcome: TestOutcome) -> bool:
            if outcome.status != "passed":
                dead.append(outcome.name)
                return False
            transcript = visit.subject.student.transcript
            if not different and (transcript is None or not self.made.diagnosis.is_right(transcript)):
                different.append(outcome.name)
            return True

        visit.heard = heard
        visit.subject.diagnose = no_diagnosis
        yield visit
        if dead or different:
            told = "" if dead else f"it survives, though {different[0]} sees other answers than the reference's"
            self.findings.append(Finding("generic", f"{mutant.kind} of {mutant.target}", bool(dead), told))


def _watcher(dead: list[str], names: set[str], killers: set[str], *, stop: bool) -> Callable[[TestOutcome], bool]:
    def heard(outcome: TestOutcome) -> bool:
        if outcome.status != "passed":
            dead.append(outcome.name)
            killers.add(outcome.number)
            if outcome.diagnosis:
                names.add(outcome.diagnosis)
        return not (dead and stop)

    return heard


def _judged(wrong: Mistake, killers: set[str], names: set[str], survived: list[int]) -> Finding:
    problems = []
    if survived:
        problems.append(f"it survives {', '.join(wrong.killed_by)} with seed {', '.join(map(str, survived[:5]))}")
    elif spared := set(wrong.killed_by) - killers:
        problems.append(f"{', '.join(sorted(spared))} do not kill it")
    if wrong.not_nameable is None:
        if others := names - {wrong.says}:
            problems.append(f"it is taken for another: {min(others)}")
        elif not survived and wrong.says not in names:
            problems.append("no failing test names it; tell it apart, or say not_nameable=...")
    elif names:
        problems.append("it says that it cannot be named, but it is")
    return Finding("mistake", wrong.name, not problems, "; ".join(problems))


# What was proved before


def digest(task: Task) -> str:
    """Digest of everything that a proof rests on."""
    section = course.section(task.section)
    total = hashlib.sha256(json.dumps(asdict(task)).encode())
    total.update(sys.version.encode())
    for name in ("numpy", "torch", "pytest", "pytest-timeout", "gradescope-utils", "msgspec"):
        try:
            total.update(version(name).encode() + b"\0")
        except PackageNotFoundError:
            total.update(b"-\0")
    grader = sorted(Path(__file__).parent.rglob("*.py"))
    own = sorted(path for folder in (section.folder, section.reference.parent) for path in folder.iterdir())
    theirs = [each.reference for each in course.used(section)]
    for path in [*grader, *theirs, *(path for path in own if path.is_file())]:
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def recall(task: Task, cache: Path | None, name: str) -> Proof | None:
    """Return an earlier green proof of the same task with the same files."""
    if cache is None:
        return None
    try:
        tree = json.loads((cache / f"{name}.json").read_text("utf-8"))
        proof = Proof(**{**tree, "findings": tuple(Finding(**finding) for finding in tree["findings"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None  # none, or damaged: it is proved again
    same = (proof.section, proof.mode, proof.seeds) == (task.section, task.mode, task.seeds)
    return proof if same and proof.ok else None


def remember(proof: Proof, cache: Path | None, name: str) -> None:
    """Keep a green proof. Where that cannot be done, it is proved again the next time."""
    if cache is not None and proof.ok:
        target = cache / f"{name}.json"
        temporary = target.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            cache.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(asdict(proof)), "utf-8")
            temporary.replace(target)
