"""The child of `nnkit train`: the student's `run` on the digits of this machine, in this very process.

Its only argument is the order as JSON. What the student's code prints goes to standard error as it comes; the result is
one frame of plain data on what was standard output.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from . import codec, course, data, local
from .errors import NnkitError
from .student import Student, StudentError

PACKING = 1  # gzip's effort: it is unpacked at once


def train(order: dict[str, Any]) -> dict[str, Any]:
    """Load the student's file, let it train, and return what came of it, or what went wrong."""
    section = course.section(order["section"])
    digits = data.read(Path(order["data"]))
    subject = local.subject_of(Path(order["file"]), section)
    student: Student = subject.student
    student.begin_test(0)
    packed = [gzip.compress(file, PACKING, mtime=0) for file in digits.files[:2]]
    begin = time.process_time()
    try:
        with student.unwatched():
            result = student.run(*packed, epochs=order["epochs"], seed=order["seed"], validation=order["validation"])
    except NnkitError:
        raise
    except StudentError as error:
        return {"failed": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever the student's code raised is its result
        raised = getattr(error, "nnkit_raised", None)
        where = f", line {raised.frames[-1][1]}" if raised is not None and raised.frames else ""
        return {"failed": f"run raised {type(error).__name__}: {error}{where}"}
    seconds = time.process_time() - begin
    if not isinstance(result, dict) or not {"history", "state_dict"} <= result.keys():
        return {"failed": "run must return a dict with history and state_dict"}
    return {"history": result["history"], "state_dict": result["state_dict"], "seconds": seconds}


def main() -> None:
    """Do what the order says."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    try:
        told = train(json.loads(sys.argv[1]))
    except NnkitError as error:
        told = {"wrong": str(error)}
    try:
        parts = codec.Encoder().frame(told)
    except codec.Unfit as unfit:
        parts = codec.Encoder().frame({"failed": f"run returned {unfit}"})
    for part in parts:
        channel.write(part)
    channel.close()


if __name__ == "__main__":
    main()
