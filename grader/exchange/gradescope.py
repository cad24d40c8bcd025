"""Gradescope's results.json: one submission's tests, score and leaderboard, made from what `nnkit grade --out` wrote.

Gradescope reads no number that is not finite, and takes a missing file for a failure of the autograder, which is right
where nnkit itself failed: such a submission gets no file, so that nobody is given a zero that is ours.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import AskedWrongly, OurFault
from ..results import SCHEMA_VERSION, rounded

DOCUMENT = "results.json"  # as `nnkit grade --out DIR` calls it
Result = Mapping[str, Any]


def export(folder: Path, who: str = "") -> dict[str, Any]:
    """Return one submission's results.json as plain data.

    Args:
        folder: what `nnkit grade --out` wrote, or the document in it.
        who: whose; may be left out where the document holds one submission.

    Raises:
        AskedWrongly: there is no such document or submission.
        OurFault: something of ours went wrong when it was graded.
    """
    results = _read(folder / DOCUMENT if folder.is_dir() else folder)
    names = sorted({str(result["submission"]) for result in results})
    if not who and len(names) != 1:
        raise AskedWrongly(
            f"{folder} holds {len(names)} submissions; name one with --only: {', '.join(names[:10]) or 'there is none'}."
        )
    who = who or names[0]
    if who not in names:
        raise AskedWrongly(f"There is no submission of {who!r} in {folder}; there are {', '.join(names[:10])}.")
    return as_results([result for result in results if result["submission"] == who])


def as_results(results: Sequence[Result]) -> dict[str, Any]:
    """Return the results of one submission, in any number of sections, as Gradescope reads them.

    Args:
        results: of one submission, as docs/json.md describes them.

    Raises:
        OurFault: one of them is unknown.
    """
    for result in results:
        if result["state"] == "unknown" or any(test["status"] == "unknown" for test in result["tests"]):
            raise OurFault(
                f"Section {result['section']} of {result['submission']} could not be graded, which is no zero: "
                "grade it again before it goes to Gradescope."
            )
    told = [f"Section {each['section']}, {each['state']}: {each['detail']}" for each in results if each["detail"]]
    return {
        "score": rounded(math.fsum(result["score"] for result in results)),
        "execution_time": rounded(math.fsum(result["seconds"] for result in results)),
        "output": "\n".join(told),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "tests": [_test(result["section"], test) for result in results for test in result["tests"]],
        "leaderboard": _leaderboard(results),
    }


def _test(section: str, test: Mapping[str, Any]) -> dict[str, Any]:
    looks = f"It looks as if: {test['diagnosis']}" if test["diagnosis"] else ""
    entry = {
        "name": f"Section {section}: {test['says']}",
        "score": test["score"],
        "max_score": test["max_score"],
        "status": test["status"],
        "output": "\n".join(filter(None, [test["message"], looks])),
        "tags": test["tags"],
        "visibility": test["visibility"],
    }
    return {**entry, "number": test["number"]} if test["number"] else entry


def _leaderboard(results: Sequence[Result]) -> list[dict[str, Any]]:
    """All entries; a column that two sections report to stands once for each."""
    entries = [(result["section"], entry) for result in results for entry in result["leaderboard"]]
    often = Counter(entry["name"] for _section, entry in entries)
    return [
        {**entry, "name": f"{section}: {entry['name']}" if often[entry["name"]] > 1 else entry["name"]}
        for section, entry in entries
    ]


def _read(path: Path) -> list[Result]:
    try:
        document = json.loads(path.read_bytes())
        if document["command"] != "grade" or document["version"] != SCHEMA_VERSION:
            raise ValueError("another document")
        return list(document["results"])
    except OSError as error:
        raise AskedWrongly(
            f"{path} cannot be read ({error.strerror}); name the folder that `nnkit grade --out` wrote."
        ) from None
    except (ValueError, TypeError, KeyError):
        raise AskedWrongly(f"{path} is no document of `nnkit grade`; name the folder that it wrote.") from None
