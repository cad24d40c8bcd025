"""The tests' side: what looks like the student's module, whichever process the student's code runs in.

`Student` is what a test gets. It turns calls into questions for a `Transport`: the worker's logic in this very process
(a student's own machine) or a jailed process behind a socket (grading). Every value passes the codec either way.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any

from . import codec, worker
from .errors import NnkitError, OurFault, ProtocolError, WorkerEnded
from .observed import TEXT_LIMIT, Observation, Raised
from .transport import Files, Frame, Transport, no_call_back

TRANSCRIPT_LIMIT = 16 << 20
ITERATION_LIMIT = 100_000
NOT_RAISED = {"SystemExit", "KeyboardInterrupt", "GeneratorExit", "StopIteration", "StopAsyncIteration"}


class StudentError(Exception):
    """The student's code cannot be asked this, or ended in a way that no builtin exception stands for."""


class MissingName(StudentError):
    """The student's file lacks a function or class that the section asks for."""


class ChangedArgument(StudentError):
    """The student's function changed an argument in place."""


class CannotLoad(StudentError):
    """The student's file could not be imported, so nothing in it can be tested."""


@dataclass(slots=True)
class Step:
    """One question of a test and its answer, as frames: what the diagnosis replays."""

    question: list[bytes]
    backs: list[tuple[list[bytes], list[bytes]]]  # calls of the test's functions, each with what was sent back
    answer: list[bytes]


class Student:
    """What looks like the student's module to a test.

    Functions are called, classes construct handles, other names are read. See docs/authoring.md for what crosses.

    Args:
        transport: where the code runs.
        files: the submission.
        may_change: functions ("relu") and methods ("Adam.step") that may change an argument in place.
        observe: whether every call is watched.
        ours: whether this is the reference: when its process ends, that is our fault.
    """

    def __init__(
        self,
        transport: Transport,
        files: Files,
        may_change: tuple[str, ...] = (),
        *,
        observe: bool = True,
        ours: bool = False,
    ) -> None:
        self._transport, self._files, self._may_change, self._observe = transport, files, may_change, observe
        self._ours = ours
        self._names: dict[str, str] | None = None
        self._cannot_load: CannotLoad | None = None
        self._functions: list[Callable[..., Any]] = []
        self._methods: set[tuple[int, str]] = set()  # of this test: the handle's number, and a name that is a method
        self._loads = self._tests = 0
        self._seed: int | None = None
        self._asking = False
        self._given = False  # whether a function of the test's, which is running, was handed objects of the student's
        self._load_seed = 0
        self._transcript: list[Step] | None = []
        self._transcript_bytes = 0
        self._observed = Observation()

    # What a test uses

    @property
    def observed(self) -> Observation:
        """The record of the last call."""
        return self._observed

    @property
    def tools(self) -> Tools:
        """Tools inside the worker, for torch sections."""
        return Tools(self)

    def together(self, calls: Iterable[partial[Any]], *, catch: bool = False) -> list[Any]:
        """Make several calls in one crossing of the border, which costs as much as a small call, and return their values.

        They must not depend on each other, and share the time that one call may take. When one of them raises, so does
        this, though those after it may have been made. Afterwards `observed` tells what happened in any of them.

        Args:
            calls: each `partial(student.relu, x)`, `partial(optimizer.step, params, grads)`, or
                `partial(setattr, optimizer, "lr", 0.1)`, `partial(len, network)`.
            catch: return what a call raises in place of its value.
        """
        __tracebackhide__ = True
        asked = [_call_of(call) for call in calls]
        self._may_ask()
        self._loaded()
        encoded = [self._encoded(question, name) for question, name in asked]
        if self._functions:  # the code may call them, and nothing else may be under way then
            raise OurFault("A test that hands functions to the student's code makes its calls one by one.")
        names = " or ".join(dict.fromkeys(name for _, name in asked))
        answers = self._transport.ask_all(encoded)
        values, seen = [], Observation()
        for parts, (_, name) in zip(encoded, asked, strict=True):
            with self._asked(names):
                answer = next(answers)
            self._observed = Observation()
            try:
                values.append(self._settled(self._record(parts), answer, name, lambda _value: True))
            except Exception as error:
                if not (catch and hasattr(error, "nnkit_raised")):
                    raise
                values.append(error)
            finally:
                self._observed = seen = seen.and_then(self._observed)
        return values

    def newest(self, made: Callee) -> Handle:
        """Stand for the object that was made last, by `made`: for calls together, where it is not there yet.

        `[partial(student.Adam), partial(student.newest(student.Adam).step, params, grads)]`
        """
        return Handle(self, worker.NEWEST, made._name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        kinds = self._loaded()
        if name not in kinds and self._ours:
            raise OurFault(f"The reference has no `{name}`.")
        if name not in kinds:
            raise MissingName(
                f"{self._files.main}.py has no `{name}`, which section {self._files.section} asks for; "
                "keep the names of the stub."
            )
        return Callee(self, name, ["name", name]) if kinds[name] != "data" else self._ask(["name", name], name)

    def __repr__(self) -> str:
        return f"<the student's {self._files.main}.py>"

    # What the plugin uses

    def begin_test(self, seed: int) -> None:
        """Start a new test: the next question forgets the handles and seeds the global random states."""
        self._seed, self._functions, self._asking = seed, [], False
        self._methods = set()
        self._tests += 1
        self._transcript, self._transcript_bytes = [], 0
        self._observed = Observation()
        self._transport.begin_test()

    @property
    def transport(self) -> Transport:
        """Where the code runs."""
        return self._transport

    @property
    def files(self) -> Files:
        """The submission."""
        return self._files

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """Calls inside are neither observed nor recorded: for timing."""
        before, self._observe = self._observe, False
        try:
            yield
        finally:
            self._observe = before

    def echo(self, value: Any) -> Any:
        """Send a value there and back: the cost of a call that does nothing."""
        return self._ask(["echo", value], "echo")

    @property
    def loaded(self) -> bool:
        """Whether the file has been imported."""
        return self._names is not None

    @property
    def cannot_load(self) -> CannotLoad | None:
        """Why the file could not be imported, once that was tried."""
        return self._cannot_load

    @property
    def transcript(self) -> list[Step] | None:
        """Questions and answers of this test, or None when they are too large to keep."""
        return self._transcript

    def close(self) -> None:
        """Let the process go."""
        self._transport.close()

    # Questions

    def _loaded(self) -> dict[str, str]:
        if self._cannot_load is not None:
            raise self._cannot_load.with_traceback(None)  # or every test would make it longer
        if self._names is not None and self._transport.loaded():
            return self._names
        self._loads += 1
        self._methods = set()
        try:
            head, buffers = self._transport.load(self._files, self._load_seed)
            match codec.Decoder().value(head, buffers):
                case [str("value"), dict(names), None] if all(
                    type(word) is str for pair in names.items() for word in pair
                ):
                    self._names = names
                    return names
                case [str("error"), str(type_name), list(bases), str(text), list(frames), None]:
                    self._cannot_load = self._load_error(Raised.of(type_name, bases, text, frames))
                case _:
                    raise ProtocolError("not an answer")
        except WorkerEnded as ended:
            self._cannot_load = CannotLoad(f"{self._files.main}.py could not be imported{self._again}. {ended}")
        except ProtocolError as error:
            self._end_nonsense(error)
            self._cannot_load = CannotLoad(f"{self._files.main}.py could not be imported: it answered with nonsense.")
        except codec.Unfit as unfit:
            self._cannot_load = CannotLoad(f"{self._files.main}.py could not be imported: it comes with {unfit}.")
        if self._ours:
            raise OurFault(f"The reference does not work. {self._cannot_load}")
        raise self._cannot_load

    @property
    def _again(self) -> str:
        return " again" if self._names is not None else ""

    def _load_error(self, raised: Raised) -> CannotLoad:
        where = f" (line {raised.frames[-1][1]})" if raised.frames else ""
        what = f"{raised.type_name}: {raised.text}".rstrip(": ")
        error = CannotLoad(f"{self._files.main}.py could not be imported{self._again}: {what}{where}")
        error.nnkit_raised = raised  # type: ignore[attr-defined]
        return error

    def _end_nonsense(self, error: Exception) -> None:
        """End a worker that breaks the protocol."""
        self._transcript = None  # the diagnosis compares answers, and this is none
        self._transport.close()
        ends = getattr(self._transport, "ends", None)
        if ends is not None:
            ends.append(("protocol_error", f"The answer is not well-formed ({error})."))

    def _ask(self, question: list[Any], name: str = "", fits: Callable[[Any], bool] = lambda _value: True) -> Any:
        __tracebackhide__ = True
        self._may_ask()
        self._loaded()
        if question[0] == "call":
            self._observed = Observation()
        parts = self._encoded(question, name)
        step = self._record(parts)
        backs = _Backs(self, step) if self._functions else None
        with self._asked(name, backs):
            head, buffers = self._transport.ask(parts, backs or no_call_back)
        if backs is not None and backs.failed is not None:
            raise backs.failed
        return self._settled(step, (head, buffers), name, fits)

    def _is_method(self, class_name: str, name: str) -> bool:
        """Whether a class of the student's is known to have such a method."""
        kind, *methods = (self._names or {}).get(class_name, "").split(" ")
        return kind == "class" and name in methods

    def _may_ask(self) -> None:
        if self._asking and self._given:
            raise StudentError(
                "A function of the test's was called with an object; it takes numbers, texts and arrays."
            )
        if self._asking:
            raise OurFault("A function that a test passed to the student's code asks the student's code in turn.")

    def _encoded(self, question: list[Any], name: str) -> list[codec.Buffer]:
        if self._seed is not None:
            question, self._seed = ["fresh", self._seed, question], None
        try:
            return codec.Encoder(self._hand_over).frame(question)
        except codec.Unfit as unfit:
            if self._ours or not isinstance(unfit, codec.TooMuch):
                raise OurFault(f"A test passes to {name or question[0]} what cannot cross: {unfit}.") from None
            # Tests hand on what the student's code returned. That the tests' own values cross, the reference proves.
            raise StudentError(f"{name or 'The student code'} cannot be asked about {unfit}.") from None

    @contextmanager
    def _asked(self, name: str, backs: _Backs | None = None) -> Iterator[None]:
        """While the student's code is asked, nothing else is; a process that ends meanwhile fails the test."""
        __tracebackhide__ = True
        self._asking = True
        try:
            yield
        except WorkerEnded as ended:
            if backs is not None and backs.failed is not None:
                raise backs.failed from None
            if self._ours:
                raise OurFault(f"The reference's {name} did not come back. {ended}") from None
            raise StudentError(f"{name or 'The student code'} did not come back. {ended}") from None
        finally:
            self._asking = False

    def _settled(self, step: Step, answer: Frame, name: str, fits: Callable[[Any], bool]) -> Any:
        __tracebackhide__ = True
        head, buffers = answer
        self._keep(step, [head, *buffers])
        try:
            return self._read(codec.Decoder(self._take_over).value(head, buffers), name, fits)
        except ProtocolError as error:
            self._end_nonsense(error)
            raise StudentError(f"{name or 'The student code'} answered with nonsense ({error}).") from None

    def _read(self, answer: Any, name: str, fits: Callable[[Any], bool]) -> Any:
        __tracebackhide__ = True
        match answer:
            case [str("value"), value, record] if fits(value):
                self._observe_changes(record, name)
                return value
            case [str("error"), str("Unfit"), [], str(text), [], record]:
                self._observe_changes(record, name)
                raise StudentError(f"{name} returned {text[:TEXT_LIMIT]}.")
            case [str("error"), str(type_name), list(bases), str(text), list(frames), record]:
                raised = Raised.of(type_name, bases, text, frames)
                if record is not None:
                    self._observed = Observation.of(record)
                raise self._raised(raised, bases, name)
        raise ProtocolError("not an answer")

    def _observe_changes(self, record: Any, name: str) -> None:
        __tracebackhide__ = True
        if record is None:
            return
        self._observed = Observation.of(record)
        changed = [argument for argument in self._observed.changed if name not in self._may_change]
        if changed:
            raise ChangedArgument(
                f"{name} changed its argument {' and '.join(changed)} in place; "
                "return a new array and leave the arguments as they were."
            )

    def _raised(self, raised: Raised, bases: list[str], name: str) -> Exception:
        if not all(type(base) is str for base in bases):
            raise ProtocolError("not an error")
        if self._ours:
            return OurFault(f"The reference's {name} raised {raised.type_name}.")
        if raised.type_name == "MemoryError" and hasattr(self._transport, "ends"):
            self._transport.ends.append(("out_of_memory", f"{name} ran out of memory: {raised.text}".rstrip(": ")))
        error = _rebuilt(raised.type_name, bases, raised.text, name)
        error.nnkit_raised = raised  # type: ignore[attr-defined]
        original = self._transport.error  # in this process: a debugger finds the student's frames
        return error if original is None else error.with_traceback(self._own_traceback(original))

    def _own_traceback(self, error: BaseException) -> TracebackType | None:
        mine = {f"{self._files.folder}/{name}" if self._files.folder else name for name in self._files.sources}
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename not in mine:
            trace = trace.tb_next
        return trace

    def _hand_over(self, value: object) -> list[Any]:
        if type(value) is Handle:
            if value._student is not self or value._tests != self._tests:
                raise OurFault(f"A test uses an object of class {value._type_name} that belongs elsewhere.")
            if value._loads != self._loads:
                raise StudentError(f"The object of class {value._type_name} is gone with the process it was made in.")
            return [codec.HANDLE, value._number]
        if type(value) is Callee:
            raise codec.Unfit("a function of the student's; call it, or pass a function of the test's")
        if callable(value):
            self._functions.append(value)
            return [codec.CALLBACK, len(self._functions) - 1]
        raise codec.Unfit(f"an object of class {type(value).__qualname__}")

    def _take_over(self, tag: int, fields: list[Any]) -> object:
        match tag, fields:
            case codec.HANDLE, [int(number), str(type_name), bool()]:
                return Handle(self, number, type_name)
        raise ProtocolError("not a handle")

    # The transcript

    def _record(self, parts: list[codec.Buffer]) -> Step:
        step = Step([], [], [])
        if self._room(parts):
            step.question = [bytes(part) for part in parts[1:]]
        return step

    def _keep(self, step: Step, parts: list[codec.Buffer]) -> None:
        if self._room(parts) and self._transcript is not None:
            step.answer = [bytes(part) for part in parts]
            self._transcript.append(step)

    def _room(self, parts: list[codec.Buffer]) -> bool:
        """Whether these are to be kept; what is not watched takes no room."""
        if self._transcript is None or not self._observe:
            return False
        self._transcript_bytes += sum(memoryview(part).nbytes for part in parts)
        if self._transcript_bytes > TRANSCRIPT_LIMIT:
            self._transcript = None
        return self._transcript is not None


@dataclass(slots=True)
class _Backs:
    """Calls of a test's functions by the student's code, during one question."""

    student: Student
    step: Step
    failed: BaseException | None = field(default=None)

    def __call__(self, head: codec.Buffer, buffers: list[codec.Buffer]) -> list[codec.Buffer] | None:
        # An answer starts with "value" or "error", a call back with "back"; only the latter is decoded here.
        if b"\xa4back" not in bytes(head[:8]):
            return None
        self.student._given = False
        match codec.Decoder(self._take_over).value(head, buffers):
            case [str("back"), int(number), list(arguments), dict(options)] if (
                0 <= number < len(self.student._functions)
            ):
                function = self.student._functions[number]
            case _:
                raise ProtocolError("not a call of the test's")
        try:
            reply = codec.Encoder().frame(["value", function(*arguments, **options)])
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - pytest.fail and its like are no ordinary exceptions
            error = self._told(error)
            reply = codec.Encoder().frame(["raise", type(error).__name__, str(error)[:500]])
        if self.student._room([head, *buffers, *reply]):
            sent = [bytes(part) for part in (head, *buffers)]
            self.step.backs.append((sent, [bytes(part) for part in reply[1:]]))
        return reply

    def _take_over(self, tag: int, fields: list[Any]) -> object:
        self.student._given = True
        return self.student._take_over(tag, fields)

    def _told(self, error: BaseException) -> BaseException:
        """What the student's code is told; what ends the test, whatever the student's code does with it, is kept."""
        if isinstance(error, codec.Unfit):
            # It is made from what the student's code passed: that it crosses for sensible arguments, the reference proves.
            from_theirs = self.student._given or isinstance(error, codec.TooMuch)
            if from_theirs and not self.student._ours:
                error = TypeError(f"for these arguments the function's value is {error}")
            else:
                error = OurFault(f"A test's function returned to the student's code what cannot cross: {error}.")
        if self.failed is None and (isinstance(error, AssertionError | NnkitError) or not isinstance(error, Exception)):
            self.failed = error
        return error


class Callee:
    """A function, class or method of the student's."""

    __slots__ = ("_name", "_student", "_target")

    def __init__(self, student: Student, name: str, target: list[Any]) -> None:
        self._student, self._name, self._target = student, name, target

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call it."""
        __tracebackhide__ = True
        return self._student._ask(self._question(arguments, options), self._name)

    def _question(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> list[Any]:
        return ["call", self._target, list(arguments), options, self._student._observe]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or self._target[0] != "name":
            raise AttributeError(name)
        return getattr(self._student._ask(self._target, self._name), name)

    def __repr__(self) -> str:
        return f"<the student's {self._name}>"


def _call_of(call: partial[Any]) -> tuple[list[Any], str]:
    """The question that a call is, and the name of what is called."""
    function, first = (call.func, call.args[:1]) if type(call) is partial else (None, ())
    if type(function) is Handle:
        function = Callee(function._student, function._type_name, ["handle", function])
    if type(function) is Callee:
        return function._question(call.args, call.keywords), function._name
    if function in (setattr, len) and first and type(first[0]) is Handle:
        return ["set" if function is setattr else "len", *call.args], first[0]._type_name
    raise OurFault("A test makes calls together that are no partial(student.function, ...).")


class Handle:
    """An object that lives where the student's code runs."""

    __slots__ = ("_loads", "_number", "_student", "_tests", "_type_name")

    def __init__(self, student: Student, number: int, type_name: str) -> None:
        own = {"student": student, "number": number, "type_name": type_name[:200]}
        for name, value in {**own, "loads": student._loads, "tests": student._tests}.items():
            object.__setattr__(self, f"_{name}", value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        full = f"{self._type_name}.{name}"
        known = self._student._methods
        is_method = self._number == worker.NEWEST or self._student._is_method(self._type_name, name)
        if (self._number, name) not in known and not is_method:
            answer = self._student._ask(["get", self, name], full, _is_attribute)
            if len(answer) == 2:
                return answer[1]
            known.add((self._number, name))
        return Callee(self._student, full, ["method", self, name])

    def __setattr__(self, name: str, value: Any) -> None:
        self._student._methods.discard((self._number, name))
        self._student._ask(["set", self, name, value], f"{self._type_name}.{name}")

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the object."""
        return Callee(self._student, self._type_name, ["handle", self])(*arguments, **options)

    def __len__(self) -> int:
        return self._student._ask(["len", self], self._type_name, _is_length)  # type: ignore[no-any-return]

    def __getitem__(self, key: Any) -> Any:
        return self._student._ask(["item", self, key], self._type_name)

    def __iter__(self) -> Iterator[Any]:
        entries = self._student._ask(["iter", self], self._type_name)
        for _ in range(ITERATION_LIMIT):
            following = self._student._ask(["next", entries], self._type_name, _is_at_most_one)
            if not following:
                return
            yield following[0]
        raise StudentError(f"{self._type_name} does not end after {ITERATION_LIMIT:,} entries")

    def __array__(self, *_arguments: object, **_options: object) -> Any:
        raise TypeError(f"an object of class {self._type_name} is no array")

    def __repr__(self) -> str:
        return f"<an object of class {self._type_name}>"


class Tools:
    """Tools inside the worker; see `toolbox`."""

    def __init__(self, student: Student) -> None:
        self._student = student

    def optimizer_of(self, handle: Handle, name: str, **options: Any) -> Handle:
        """Return a handle of `torch.optim.<name>` over the parameters of a module."""
        return Callee(self._student, name, ["tool", "optimizer_of"])(handle, name, **options)  # type: ignore[no-any-return]

    def gradients_of(self, function: Handle, arguments: list[Any]) -> tuple[Any, list[Any]]:
        """Return the value of a handle called with tensors, and the gradient of its sum for each."""
        call = Callee(self._student, "gradients_of", ["tool", "gradients_of"])
        return call(function, arguments)  # type: ignore[no-any-return]

    def network_of(self, sizes: list[int], **options: Any) -> Handle:
        """Return a handle of a small float64 network of ours, to train and measure quickly."""
        return Callee(self._student, "network_of", ["tool", "network_of"])(sizes, **options)  # type: ignore[no-any-return]

    def shapes_of(self, handle: Handle) -> list[list[Any]]:
        """Return name and shape of every parameter of a module."""
        return Callee(self._student, "shapes_of", ["tool", "shapes_of"])(handle)  # type: ignore[no-any-return]


def _is_attribute(answer: Any) -> bool:
    return type(answer) is list and len(answer) in (1, 2) and type(answer[0]) is str


def _is_length(answer: Any) -> bool:
    return type(answer) is int and 0 <= answer <= sys.maxsize


def _is_at_most_one(answer: Any) -> bool:
    return type(answer) is list and len(answer) <= 1


def _rebuilt(type_name: str, bases: list[str], text: str, name: str) -> Exception:
    """The nearest builtin exception, so that `pytest.raises(ValueError)` holds for a subclass of it too."""
    for base in bases:
        kind = getattr(builtins, base, None)
        if base in NOT_RAISED or not isinstance(kind, type) or not issubclass(kind, Exception) or kind is Exception:
            continue
        try:
            return kind(text)
        except TypeError:
            break  # UnicodeDecodeError and its like want five arguments
    return StudentError(f"{name} raised {type_name}: {text}".rstrip(": "))
