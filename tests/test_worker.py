"""The worker's logic: what it does with questions, with student files, and with the process it lives in."""

import gc
import math
import random
import sys
import types
import warnings
import weakref

import numpy as np
import pytest

from nnkit.grader import codec, worker


class Asked:
    """A worker in this process, asked in trees."""

    def __init__(self, source, available=("numpy", "math"), **helpers):
        self.worker = worker.Worker(self.call_back)
        texts = {"sub": source, **helpers}
        files = {f"{name}.py": text.encode() if isinstance(text, str) else text for name, text in texts.items()}
        self.loaded = self.ask("load", files, "sub", list(available), "13", "", 1)

    @staticmethod
    def call_back(number, arguments, options):
        return [number, arguments, options]

    def ask(self, *question):
        tagged = codec.Encoder(lambda value: list(value.tag))
        _, head, *buffers = tagged.frame(list(question))
        _, head, *buffers = self.worker.answer(bytes(head), [bytearray(buffer) for buffer in buffers])
        return codec.Decoder(lambda tag, fields: (tag, fields)).value(head, buffers)

    def call(self, name, *arguments, observe=True, **options):
        return self.ask("call", ["name", name], list(arguments), options, observe)


class Tag:
    """Something that stands in a question as it is."""

    def __init__(self, *tag):
        self.tag = tag


def handle(answer):
    """The handle in an answer, to be asked about."""
    tag, fields = answer[1]
    assert tag == codec.HANDLE
    return Tag(codec.HANDLE, fields[0])


# Loading


def test_loading_tells_the_public_names_and_what_they_are():
    """Functions, classes and data; what begins with an underscore is private"""
    asked = Asked("import math\nx = 3\n_y = 4\ndef f(): pass\nclass A: pass\n")

    assert asked.loaded == ["value", {"math": "data", "x": "data", "f": "function", "A": "class"}, None]


def test_a_file_is_its_own_module():
    """It has a name and a file, it is found in sys.modules, and its `__main__` part does not run"""
    source = "import math\nname, file = __name__, __file__\nran = False\nif __name__ == '__main__': ran = True\n"
    asked = Asked(source)

    assert [asked.ask("name", n)[1] for n in ("name", "file", "ran")] == ["sub", "sub.py", False]
    assert isinstance(sys.modules["sub"], worker.OwnModule)


def test_a_helper_that_imports_the_main_file_sees_it_half_made():
    """As in Python: an import in a circle does not go round for ever"""
    asked = Asked("import helper\nx = 1\ndef f(): return helper.g()\n", helper="import sub\ndef g(): return sub.x\n")

    assert asked.call("f")[1] == 1


def test_submodules_of_what_is_available_are_available():
    """`import numpy.linalg as la` and `from numpy import fft`"""
    asked = Asked(
        "import numpy.linalg as la\nfrom numpy import fft\ndef f(): return [la.norm([3.0, 4.0]), len(fft.fft([1]))]\n"
    )

    assert asked.call("f")[1] == [np.float64(5.0), 1]


def test_the_global_random_states_are_seeded():
    """Python's and numpy's, at loading and at the start of every test"""
    source = "import random\nimport numpy as np\nfirst = [random.random(), np.random.rand()]\n"
    firsts = [Asked(source, available=("numpy", "random")).ask("name", "first")[1] for _ in range(2)]
    assert firsts[0] == firsts[1]

    worker.seed_everything(5)
    drawn = [random.random(), np.random.rand()]  # noqa: NPY002 - the global state is what is seeded
    worker.seed_everything(5)
    assert [random.random(), np.random.rand()] == drawn  # noqa: NPY002 - the same


def test_a_seed_may_be_any_whole_number():
    """Also one of 64 bits, as an HMAC gives"""
    worker.seed_everything(2**64 - 1)


# Questions


@pytest.mark.parametrize(
    ("question", "says"),
    [
        (("no_such_kind",), "no question of kind 'no_such_kind'"),
        (("name", "missing"), "has no attribute 'missing'"),
        (("call", ["name", "missing"], [], {}, True), "has no attribute 'missing'"),
        (("call", ["tool", "missing"], [], {}, True), "there is no tool 'missing'"),
        (("len", Tag(codec.HANDLE, 77)), "there is no object of number 77"),
        (("call", ["name", "f"], [Tag(codec.HANDLE, 77)], {}, True), "there is no object of number 77"),
    ],
)
def test_a_question_that_makes_no_sense_gets_an_error_for_an_answer(question, says):
    """A worker does not end over it"""
    asked = Asked("def f(x): return x\n")

    answer = asked.ask(*question)

    assert answer[0] == "error"
    assert says in answer[3]
    assert asked.call("f", 1)[1] == 1


def test_objects_are_counted_from_one_in_every_test():
    """So that the same questions get the same numbers from every file; the objects of the test before are forgotten"""
    asked = Asked("class A: pass\n")
    numbers = [asked.call("A")[1][1][0], asked.call("A")[1][1][0]]
    fresh = asked.ask("fresh", 3, ["call", ["name", "A"], [], {}, True])

    assert numbers == [1, 2]
    assert fresh[1][1][0] == 1
    assert asked.ask("len", Tag(codec.HANDLE, 2))[0] == "error"


def test_what_an_object_can_be_asked():
    """Methods are told apart from data; layers and other objects that can be called are data"""
    source = (
        "import numpy as np\nclass In:\n    def __call__(self): return 1\n"
        "class A:\n    def m(self): return 2\n    n = 3\n    inner = In()\n    made = len\n    Kind = In\n    u = np.exp\n"
    )
    asked = Asked(source)
    thing = handle(asked.call("A"))

    assert asked.ask("get", thing, "m") == ["value", ["method"], None]
    assert asked.ask("get", thing, "made") == ["value", ["method"], None]
    assert asked.ask("get", thing, "Kind") == ["value", ["method"], None]
    assert asked.ask("get", thing, "n") == ["value", ["value", 3], None]
    assert asked.ask("get", thing, "inner")[1][1][1][1:] == ["In", True]
    assert asked.ask("get", thing, "u")[1][1][1][1:] == ["ufunc", True]
    assert asked.ask("call", ["method", thing, "m"], [], {}, True)[1] == 2
    assert asked.ask("set", thing, "n", 4) == ["value", None, None]
    assert asked.ask("get", thing, "n") == ["value", ["value", 4], None]


def test_functions_of_the_test_arrive_as_functions():
    """Called by number, with plain arguments and options; one function is one function"""
    asked = Asked("def f(g, h): return [g(1, b=2), g is h]\n")
    function = Tag(codec.CALLBACK, 5)

    assert asked.call("f", function, function)[1] == [[5, [1], {"b": 2}], True]
    assert asked.call("f", function, Tag(codec.CALLBACK, 6))[1][1] is False


def test_an_error_of_the_tests_function_is_raised_on_this_side():
    """Builtin types keep their type, others and what would end a process become RuntimeError"""
    for name, kind in (
        ("ValueError", ValueError),
        ("Odd", RuntimeError),
        ("SystemExit", RuntimeError),
        ("len", RuntimeError),
    ):
        _, head, *buffers = codec.Encoder().frame(["raise", name, "text"])
        with pytest.raises(kind, match="text") as caught:
            worker.returned(head, buffers, worker.Worker(Asked.call_back))
        assert type(caught.value) is kind


def test_what_cannot_cross_keeps_its_record():
    """The arguments that the function changed are told though its result is refused"""
    asked = Asked("import numpy as np\ndef f(x):\n    x[0] = np.exp(np.array(1e3))\n    return np.array([None])\n")

    answer = asked.call("f", np.zeros(2))

    assert answer[:3] == ["error", "Unfit", []]
    assert answer[3].startswith("an array of dtype object")
    assert answer[5] == [["over"], [], ["x"], [], False, False, None]


# The record


def record(source, *arguments, **options):
    return dict(
        zip(
            ("flags", "warnings", "changed", "shares", "random", "dtype", "exception"),
            Asked(source).call("f", *arguments, **options)[-1],
            strict=True,
        )
    )


@pytest.mark.parametrize(
    ("body", "arguments", "changed"),
    [
        ("x[0] = 1", ([1, 2],), []),
        ("x[0] = 1.0", ([1, 2],), ["x"]),
        ("x[0] = True", ([1, 2],), ["x"]),
        ("x[0] = -0.0", (np.zeros(2),), ["x"]),
        ("x[0] = x[0]", (np.array([math.nan, 1.0]),), []),
        ("x[0] = float('nan')", ([math.nan, 1.0],), []),
        ("x.append(3)", ([1],), ["x"]),
        ("x.reverse()", (["a", "b"],), ["x"]),
        ("x['b'] = x.pop('a')", ({"a": 1},), ["x"]),
        ("x['a'] = x.pop('a')", ({"a": 1, "b": 2},), ["x"]),
        ("x['a'][0][1] += 1", ({"a": [np.zeros(2)]},), ["x"]),
        ("x[0][0] = 1", ((np.zeros(2),),), ["x"]),
        ("x.shape = (2, 1)", (np.zeros(2),), ["x"]),
        ("x[...] = 5", (np.zeros(2000),), ["x"]),
        ("x[-1] = 1e-300", (np.zeros(2000),), ["x"]),
        ("x.T[0] = 1", (np.zeros((30, 40)),), ["x"]),
        ("x = x + 1", (np.zeros(2),), []),
        ("y += 1; rest[0] += 1", (np.zeros(2), np.zeros(2), np.zeros(2)), ["y", "rest"]),
        ("x[0] = E()", ([1, 2],), ["x"]),
        ("x.clear(); x[E()] = 1", ({"a": 1},), ["x"]),
        ("x[0] = 2j", ([1j],), ["x"]),
        ("x[0] = np.float32(2)", ([np.float32(1)],), ["x"]),
    ],
)  # fmt: skip
def test_arguments_changed_in_place_are_told_by_name(body, arguments, changed):
    """Bit for bit, in lists, dicts and tuples too; what claims to be equal to everything does not help"""
    source = (
        "import numpy as np\nclass E:\n    def __eq__(self, other): return True\n    def __hash__(self): return hash('a')\n"
        f"def f(x, y=None, *rest):\n    {body}\n"
    )

    assert record(source, *arguments)["changed"] == changed


@pytest.mark.parametrize(
    ("result", "shares"),
    [
        ("x", ["x"]),
        ("x[1:3]", ["x"]),
        ("[0, {'a': (y.T,)}]", ["y"]),
        ("(x, y)", ["x", "y"]),
        ("x.copy()", []),
        ("x + y[0]", []),
        ("x[:0]", []),
        ("[x[:2].copy(), None, 'x']", []),
        ("Sub(x)", ["x"]),
        ("loop", []),
    ],
)
def test_shared_memory_is_told_by_name(result, shares):
    """Views, entries of containers and subclasses; an empty array shares nothing, a list in itself is no trouble"""
    source = (
        "import numpy as np\nclass S(np.ndarray):\n    __array_interface__ = None\ndef Sub(x): return x.view(S)\n"
        f"loop = []; loop += [loop] * 3\ndef f(x, y): return {result}\n"
    )
    asked = Asked(source)

    assert asked.call("f", np.zeros(4), np.zeros((4, 4)))[-1][3] == shares


def test_an_argument_without_a_name_has_a_number():
    """Where the signature says nothing: built in functions, or a signature that lies"""
    source = "class F:\n    def __call__(self, *a): a[1][0] = 9\n    @property\n    def __signature__(self): raise OSError\nf = F()\n"

    assert record(source, [1], [2])["changed"] == ["argument 2"]


def test_filters_and_flags_are_put_back():
    """Nothing that a call does to the filters of warnings or to numpy's error state outlives it"""
    before = np.geterr(), list(warnings.filters)
    source = (
        "import warnings\nimport numpy as np\n"
        "def f():\n    np.seterr(all='raise'); warnings.simplefilter('ignore'); warnings.warn('x')\n"
    )
    asked = Asked(source, available=("numpy", "warnings"))
    asked.call("f")
    asked.call("f", observe=False)

    assert (np.geterr(), list(warnings.filters)) == before


def test_a_broken_library_is_the_students_own_trouble():
    """Code that breaks numpy gets errors for answers; the worker does not fall"""
    asked = Asked(
        "import numpy as np\nold = np.random.mtrand.get_bit_generator\ndef f(): np.random.mtrand.get_bit_generator = None\ndef g(): return 1\n"
    )
    try:
        asked.call("f")
        answer = asked.call("g")
    finally:
        np.random.mtrand.get_bit_generator = asked.worker._main.old

    assert answer[:2] == ["error", "TypeError"]


# Errors


def test_frames_are_the_students_own_and_few():
    """A deep recursion is told by its beginning and its end"""
    asked = Asked("def f(n):\n    return f(n - 1) if n else 1 / 0\n")
    frames = asked.call("f", 100)[4]

    assert len(frames) == worker.FRAMES_LIMIT
    assert {tuple(frame) for frame in frames} == {("sub.py", 2, "f", "return f(n - 1) if n else 1 / 0")}


def test_a_syntax_error_is_told_with_its_line():
    """Though no frame of the student's is there"""
    asked = Asked("x = 1\ny = = 2\n")

    assert asked.loaded[1:3] == ["SyntaxError", ["SyntaxError", "Exception", "BaseException", "object"]]
    assert asked.loaded[4] == [["sub.py", 2, "", "y = = 2"]]


def test_a_forged_syntax_error_is_an_error_like_any_other():
    """Its attributes may be anything"""
    source = "def f():\n    e = SyntaxError('x'); e.filename = ['sub.py']; e.text = 3; e.lineno = None\n    raise e\n"

    assert Asked(source).call("f")[1] == "SyntaxError"


def test_placeholders_know_their_sentence():
    """Whatever is done with a module that is not there says so; asking what it is does not"""
    asked = Asked("import torch\nfrom torch import nn\nimport torch.nn.functional as F\n")
    module = asked.worker._main.torch

    assert asked.loaded[1] == {"torch": "function", "nn": "function", "F": "function"}
    for use in (
        lambda: module(1), lambda: module.nn.Linear(2, 3), lambda: list(module), lambda: module + 1, lambda: 2 * module,
        lambda: -module, lambda: module[0], lambda: len(module), lambda: bool(module), lambda: float(module),
        lambda: isinstance(3, module.Tensor), lambda: issubclass(int, module), lambda: module < 3, lambda: 3 in module,
        lambda: setattr(module, "a", 1), lambda: np.asarray(module), lambda: types.new_class("A", (module.nn.Module,)),
        lambda: module @ module, lambda: module.no_grad().__enter__(), lambda: next(module), lambda: range(module),
    ):  # fmt: skip
        with pytest.raises(ImportError, match="torch is not available in section 13; write it without"):
            use()
    with pytest.raises(AttributeError, match="torch is not available in section 13; write it without"):
        module.__version__  # noqa: B018 - looking is what is tested
    assert (module.Tensor | None) is not None
    assert (None | module.Tensor) is not None


def test_warming_up_leaves_nothing_behind():
    """A module of the warm-up's is not found later"""
    worker.warm_up()

    assert "warm_up_" not in sys.modules


def test_what_a_call_was_given_is_not_kept():
    """The copies of the arguments that a watched call is compared with are gone when it is answered"""
    kept = []
    asked = Asked("import numpy as np\ndef f(x): return 1\n")
    before = worker.Watch.__init__

    def watched(self, arguments, names):
        kept.append(weakref.ref(self))
        before(self, arguments, names)

    gc.disable()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worker.Watch, "__init__", watched)
            asked.call("f", np.ones(3))
    finally:
        gc.enable()

    assert [reference() for reference in kept] == [None]
