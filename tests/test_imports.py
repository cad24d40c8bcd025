"""The static check follows names as Python does, says file and line, and never breaks on what is in a file."""

import textwrap
import time
from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nnkit.grader.imports import SIZE_LIMIT, WORD_LIMIT, allowed, check, module_names


@dataclass(frozen=True)
class Section:
    number: str = "14"
    slug: str = "tanh_softmax"
    libraries: tuple[str, ...] = ("numpy",)
    imports: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ("numpy.tanh", "scipy", "numpy.linalg.lstsq", "torch.optim")


def looked_at(code, section=Section(), **helpers):
    files = {"tanh_softmax.py": code, **{f"{name}.py": text for name, text in helpers.items()}}
    return check({name: textwrap.dedent(text).encode() for name, text in files.items()}, section)


def lines_of(code, **helpers):
    return [finding.line for finding in looked_at(code, **helpers).forbidden]


# Forbidden names

WAYS = {
    "attribute": "import numpy as np\nnp.tanh(1)",
    "whole name": "import numpy\nnumpy.tanh(1)",
    "from": "import math\nfrom numpy import tanh",
    "from, renamed": "import math\nfrom numpy import tanh as t",
    "star": "from numpy import *\nx = tanh(1)",
    "renamed submodule": "import numpy.linalg as la\nla.lstsq(1, 2)",
    "submodule": "import numpy.lib, numpy as np\nnp.linalg.lstsq",
    "from submodule": "\nfrom numpy.linalg import lstsq",
    "simple assignment": "import numpy as np; la = np.linalg\nla.lstsq()",
    "annotated assignment": "import numpy as np; la: object = np\nla.tanh",
    "several at once": "import numpy as np; a, (b, c) = 1, (np, 2)\nb.tanh",
    "chain": "import numpy as np; a = np; b = a; c = b\nc.tanh",
    "assigned after use": "import numpy as np\ng = lambda: la.tanh\nla = np",
    "walrus": "import numpy as np\n(la := np.linalg).lstsq",
    "walrus in a comprehension": "import numpy as np; [q := np for _ in 'a']\nq.tanh",
    "either": "import numpy as np; x = np if 1 else 2\nx.tanh",
    "or": "import numpy as np; x = None or np\nx.tanh",
    "parameter's default": "import numpy as np\ndef f(x, m=np, *, k=1): return m.tanh(x)",
    "default": "import numpy as np\ndef f(x, t=np.tanh): return t(x)",
    "keyword-only default": "import numpy as np\nf = lambda *, m=np: m.tanh",
    "getattr": "import numpy as np\ngetattr(np, 'tanh')(1)",
    "getattr of getattr": "import numpy as np\ngetattr(getattr(np, 'linalg'), 'lstsq')",
    "getattr with default": "import numpy as np\ngetattr(np, 'linalg', None).lstsq",
    "vars": "import numpy as np\nvars(np)['tanh']",
    "dict": "import numpy as np\nnp.__dict__['linalg'].lstsq",
    "__import__": "\n__import__('scipy')",
    "attribute of __import__": "\n__import__('numpy').tanh",
    "root of __import__": "\n__import__('numpy.linalg').linalg.lstsq",
    "import_module": "import importlib\nimportlib.import_module('scipy.special')",
    "import_module, renamed": "from importlib import import_module as i\ni('numpy').tanh",
    "longer way": "import numpy as np\nnp.core.umath.tanh(1)",
    "longer way in linalg": "import numpy as np\nnp.linalg._linalg.lstsq(1)",
    "part of it": "import numpy as np\nnp.tanh.reduce",
    "whole library": "import math\nimport scipy",
    "part of the library": "import math\nfrom scipy.special import expit",
    "in a function": "import math\ndef f(): import scipy",
    "in a method": "import numpy as np\nclass A: x = [lambda: np.tanh]",
    "global": "def f():\n global np; import numpy as np; np.tanh",
    "in an annotation": "import numpy as np\nx: np.tanh = 1",
    "in a decorator": "import numpy as np\n@np.tanh\ndef f(): pass",
    "in an f-string": "import numpy as np\nf'{np.tanh(1)}'",
    "in a match": "import numpy as np; x = 1\nmatch np.tanh(x):\n case x: pass",
    "assigned to": "import numpy as np\nnp.tanh = 1",
    "under try": "import numpy as np\ntry: np.tanh\nexcept: pass",
    "never reached": "import numpy as np\nif 0: np.tanh",
    "torch's": "import torch\nfrom torch import optim",
    "torch's, renamed": "import torch\nimport torch.optim as o",
    "torch's by attribute": "import torch\ntorch.optim.SGD",
}  # fmt: skip


@pytest.mark.parametrize("code", WAYS.values(), ids=WAYS)
def test_every_plain_way_to_a_forbidden_name_is_found(code):
    """the name is found, once, at its line"""
    assert lines_of(code) == [2]


INNOCENT = {
    "a function of one's own": "def tanh(x): return x\ntanh(1)",
    "beside numpy": "import numpy as np\ndef tanh(x): return np.exp(x)\ny = tanh(1)",
    "beside a star": "from numpy import *\ndef tanh(x): return exp(x)\ny = tanh(1)",
    "a method": "class A:\n def tanh(self): return self.tanh()\nA().tanh()",
    "an attribute of something": "def f(x): return x.tanh()",
    "a parameter called np": "import numpy as np\ndef f(np): return np.tanh",
    "a local called np": "import numpy as np\ndef f():\n np = 1\n return np.tanh",
    "a loop variable": "import numpy as np\ndef f():\n for np in []: np.tanh",
    "an exception": "import numpy as np\ndef f():\n try: pass\n except OSError as np: np.tanh",
    "a pattern": "import numpy as np\ndef f(x):\n match x:\n  case [np, *_]: np.tanh\n  case {**np}: np.tanh",
    "a comprehension's variable": "import numpy as np\n[np.tanh for np in []]",
    "a keyword": "dict(tanh=1)",
    "a text": "import numpy as np\n'np.tanh' # np.tanh",
    "math's": "import math\nmath.tanh(1)",
    "another numpy name": "import numpy as np\nnp.tanhx, np.arctanh, np.linalg.norm, np.linalg",
    "a class attribute is no local": "import math\nclass A:\n import numpy as np\n def f(self): return np.tanh",
    "getattr of one's own": "import numpy as np\ndef getattr(a, b): pass\ngetattr(np, 'tanh')",
    "a name not literal": "import numpy as np\ndef f(n): return getattr(np, n)",
    "names in a circle": "a = b\nb = a\na.tanh",
    "torch itself": "import torch\ntorch.nn.Linear",
    "one's own file": "import helper\nhelper.tanh(1)",
    "one's own file called scipy": "import scipy\nscipy.special",
}


@pytest.mark.parametrize("code", INNOCENT.values(), ids=INNOCENT)
def test_what_only_looks_like_it_is_left_alone(code):
    """the student's own names are never refused"""
    report = looked_at(code, helper="def tanh(x): return x", scipy="special = 1")

    assert report.forbidden == ()
    assert report.unparsable == ()


def test_names_are_followed_through_helper_files():
    """a helper cannot carry a forbidden name, whichever file says it"""
    assert lines_of("from helper import np as q\nq.tanh", helper="import numpy as np") == [2]
    assert lines_of("from helper import *\nlib.tanh", helper="import numpy as np; lib = np") == [2]
    assert lines_of("import helper as h\nh.deeper.np.tanh", helper="import deeper", deeper="import numpy as np") == [2]
    report = looked_at("import helper", helper="import numpy as np\n\nt = np.tanh")
    assert [(found.file, found.line) for found in report.forbidden] == [("helper.py", 3)]
    assert lines_of("import helper\nhelper.a.tanh", helper="import tanh_softmax\na = tanh_softmax.helper.a") == []


def test_the_sentence_has_file_line_and_name():
    """what a student reads"""
    report = looked_at("import numpy as np\n\ny = np.tanh(1)\nfrom scipy.special import expit\nimport scipy")

    assert [found.sentence for found in report.forbidden] == [
        "tanh_softmax.py, line 3: section 14 asks you to write tanh without numpy.tanh.",
        "tanh_softmax.py, line 4: section 14 asks you to write expit without scipy.",
        "tanh_softmax.py, line 5: section 14 asks you to do without scipy.",
    ]
    assert [found.name for found in report.forbidden] == ["numpy.tanh", "scipy.special.expit", "scipy"]
    assert report.refused == report.forbidden


def test_an_imported_name_is_told_at_its_import_only():
    """a hundred uses of an import are one finding; uses through an attribute are one a line"""
    assert lines_of("from numpy import tanh\n" + "tanh(1)\n" * 100) == [1]
    assert lines_of("import numpy as np\nnp.tanh(np.tanh(1))\nnp.tanh(2)") == [2, 3]


# Modules


def test_other_modules_are_listed_and_refuse_nothing():
    """a forgotten import of a plotting library has a line and a sentence, and costs nothing"""
    report = looked_at("import math\nimport matplotlib.pyplot as plt, os\nfrom pathlib import Path\n__import__('json')")

    assert [(found.name, found.line) for found in report.unavailable] == [
        ("matplotlib.pyplot", 2), ("os", 2), ("pathlib", 3), ("json", 4),
    ]  # fmt: skip
    assert report.unavailable[0].sentence == (
        "tanh_softmax.py, line 2: matplotlib.pyplot is not available in section 14; do not use it."
    )
    assert report.refused == ()


def test_what_is_allowed():
    """the default list, torch where the section has it, and the section's own list"""
    assert allowed(Section())[-1] == "numpy"
    assert "torch" in allowed(Section(libraries=("numpy", "torch")))
    assert allowed(Section(imports=("heapq",)))[-1] == "heapq"
    code = "import numpy.linalg, torch.nn, heapq\nfrom collections import abc\nfrom . import helper\nimport helper"
    report = looked_at(code, Section(libraries=("numpy", "torch"), imports=("heapq",)), helper="import struct")
    assert report.modules == ("collections", "heapq", "numpy.linalg", "torch.nn")
    assert [(found.file, found.name) for found in report.unavailable] == [("helper.py", "struct")]


def test_a_forbidden_module_is_not_listed_twice():
    """what is refused is not also called unavailable"""
    report = looked_at("import scipy.special")

    assert (len(report.forbidden), report.unavailable) == (1, ())


def test_module_names_are_the_roots():
    """whoever must know whether torch is needed asks this"""
    files = {"a.py": b"import numpy.linalg, b\nfrom torch import nn", "b.py": b"import math", "c.py": b"("}

    assert module_names(files) == {"numpy", "torch", "math"}


# Files that are not Python

BROKEN = {
    "syntax": (b"x = 1\ndef f(:\n", 2, "this is not Python: "),
    "null byte": (b"x = 1\ny = '\0'\n", 2, "there is a null byte, so this is not a text; save the code as UTF-8."),
    "latin 1": ("x = 1\ny = 'é'\n".encode("latin-1"), 2, "byte 0xe9 is not UTF-8; save the file as UTF-8."),
    "latin 1 in line 1": ("# é\n".encode("latin-1"), 1, "byte 0xe9 is not UTF-8; save the file as UTF-8."),
    "utf-16": ("x = 1".encode("utf-16"), 1, "the file is saved as UTF-16; save it as UTF-8."),
    "unknown cookie": (b"# coding: elvish\nx = 1", 1, "the file names an encoding that Python does not know; save it as UTF-8."),
    "slow cookie": (b"# coding: punycode\nx = 1", 1, "the file says that it is written in punycode; save it as UTF-8."),
    "no text codec": (b"# coding: zlib\nx = 1", 1, "the file says that it is written in zlib; save it as UTF-8."),
    "cookie against the mark": (b"\xef\xbb\xbf# coding: latin-1\nx = 1", 1, "the file names an encoding"),
    "deep": (b"x = " + b"-" * 10_000 + b"1", 1, "the code is nested too deep for Python to read it; write it in steps."),
    "deep attribute": (b"x = a" + b".b" * 10_000, 1, "the code is nested too deep for Python to read it; write it in steps."),
    "brackets": (b"x = " + b"(" * 10_000 + b"1" + b")" * 10_000, 1, "this is not Python: too many nested parentheses."),
    "indented": (b"  x = 1", 1, "this is not Python: unexpected indent."),
    "tabs": (b"if 1:\n\tx\n        y\n", 3, "this is not Python: inconsistent use of tabs"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0", 3, "there is a null byte"),
    "a notebook": (b'{"cells": [', 1, "this is not Python: "),
}  # fmt: skip


@pytest.mark.parametrize(("source", "line", "says"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_not_python_has_a_line_and_a_sentence(source, line, says):
    """every kind of broken file is a finding, never an exception"""
    report = check({"tanh_softmax.py": source, "helper.py": b"import os"}, Section())

    assert [found.line for found in report.unparsable] == [line]
    assert report.unparsable[0].sentence.startswith(f"tanh_softmax.py, line {line}: {says}")
    assert [found.name for found in report.unavailable] == ["os"], "the other file is read all the same"


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\n" * 1000,
        b"\xef\xbb\xbfimport math",
        "# coding: latin-1\nx = 'é'".encode("latin-1"),
        "# -*- coding: cp1252 -*-\nx = '\u20ac'".encode("cp1252"),
        b"x = '\\d'",
        b"x = 1\r\ny = 2\r\n",
        b"x = " + b"1 + " * 900 + b"1",
        b"# " + b"x" * 500_000,
        "class Größe: pass".encode(),
    ],
)
def test_what_python_reads_is_read(source):
    """encodings that Python honours, and long but honest files, are no findings"""
    assert check({"tanh_softmax.py": source}, Section()).unparsable == ()
    assert check({"tanh_softmax.py": source}, Section()).refused == ()


def test_large_files_are_refused_unread():
    """a file over a megabyte, or of endless code, is refused with a sentence"""
    large = check({"tanh_softmax.py": b"#" * (SIZE_LIMIT + 1)}, Section())
    long = check({"tanh_softmax.py": b"import a" + b".b" * (SIZE_LIMIT // 2 - 10)}, Section())

    assert large.refused[0].sentence == (
        "tanh_softmax.py, line 1: the file has 1,048,577 bytes; at most 1,048,576 are read. Send the code without data."
    )
    assert "goes on for more than 100,000 words and signs" in long.refused[0].sentence


PILES = [
    "a;",
    "import a;",
    "a.b.c;",
    "a=b=",
    "b=a.x if a else a.y;a=b;",
    "getattr(a,'b').c;",
    "lambda x=a:",
    "@a\n",
    "a,",
    "[a for a in a];",
    "a" + "('b')" * 60 + ";",
    "b." + "getattr(" * 60 + "a" + ",'b')" * 60 + ";",
    "import z; z.a.a.a.a.a.a.a.a;",
]


@pytest.mark.parametrize("pile", PILES)
def test_no_file_takes_long(pile):
    """the longest file that is read takes seconds, whatever it is made of"""
    source = b"import numpy as a\n" + (pile * (WORD_LIMIT // 2 // len(pile))).encode() + b"\n0"
    start = time.process_time()
    helpers = {
        f"{name}.py": b"from y import *\nfrom z import *\nimport y as a, z as a, tanh_softmax as a" for name in "yz"
    }
    check({"tanh_softmax.py": source, **helpers}, Section())

    assert time.process_time() - start < 10


snippets = st.lists(
    st.sampled_from(
        """import numpy as np|from numpy import *|from . import a|from .a import *|import helper|np = np|x = np.linalg|del np
global np|nonlocal x|x.lstsq|getattr(x, 'tanh')|__import__('')|__import__('..')|def f(a, /, b=np, *c, d=x, **e): x.tanh
class A(np, metaclass=x): np = x|lambda x: (x := np)|[x := y for y in np]|async def g(): await np.tanh|a, *b = np, x
match np:|    case np.tanh(x, y=z): pass|    case {'a': [1, *np], **x} | {}: pass|try: pass|except* np.tanh as e: pass
with np as x, x.tanh as y: pass|x: np = np|x += np|for np in np: pass|(np).tanh|f'{np!r:{x.tanh}}'|vars(x)['tanh']""".replace("\n", "|").split("|")
    )
    | st.text(max_size=20),
    max_size=12,
).map("\n".join)  # fmt: skip


@given(code=snippets, helper=snippets)
@example("import helper as a\na.b.c", "import tanh_softmax as b\nfrom tanh_softmax import *")
def test_no_text_breaks_it(code, helper):
    """any code, also in two files that import each other, gives a report"""
    files = {
        "tanh_softmax.py": code.encode("utf-8", "surrogatepass"),
        "helper.py": helper.encode("utf-8", "surrogatepass"),
    }
    report = check(files, Section())

    for found in (*report.refused, *report.unparsable, *report.unavailable):
        assert found.sentence.startswith(f"{found.file}, line {found.line}: ")
        assert "\n" not in found.sentence


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_no_bytes_break_it(source):
    """any bytes give a report"""
    check({"tanh_softmax.py": source}, Section())
    check({"tanh_softmax.py": b"# coding: " + source}, Section())
    module_names({"tanh_softmax.py": source})


def test_nothing_is_run():
    """the files are read, not imported"""
    assert looked_at("raise SystemExit\nimport antigravity\nopen('/nowhere')").refused == ()
