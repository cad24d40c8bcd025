"""Seeds of tests: public for visible suites, from the course's secret for hidden ones (design.md, contract 8)."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from .errors import AskedWrongly

PUBLIC = b"nnkit: visible suites have the same inputs everywhere"


@dataclass(frozen=True, slots=True)
class Seeds:
    """Makes the seed of every test.

    Args:
        secret: the course's secret.
    """

    secret: bytes

    def inputs(self, suite: str, section: str, test: str) -> int:
        """Seed of the generator that a test draws its inputs from."""
        return self._seed("inputs", suite, section, test)

    def inside(self, suite: str, section: str, test: str) -> int:
        """Seed of the global random states in the worker, which student code sees: tells nothing about `inputs`."""
        return self._seed("inside", suite, section, test)

    def digest(self) -> str:
        """Name of the secret that gives nothing of it away."""
        return hashlib.sha256(b"nnkit secret\0" + self.secret).hexdigest()[:16]

    def _seed(self, *words: str) -> int:
        key = PUBLIC if words[1] == "visible" else self.secret
        return int.from_bytes(hmac.digest(key, "\0".join(words).encode(), "sha256")[:8]) >> 1


def read_secret(path: Path) -> bytes:
    """Read the course's secret; make one, readable by its owner only, when there is none.

    Raises:
        AskedWrongly: the file can be neither read nor made, is too short, or others may read it.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    except OSError as error:
        raise AskedWrongly(
            f"The course's secret could not be made at {path}: {error.strerror}. Name a file with --secret-file."
        ) from None
    else:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
    try:
        secret = path.read_bytes().strip()
        others = path.stat().st_mode & 0o077
    except OSError as error:
        raise AskedWrongly(f"The course's secret at {path} cannot be read: {error.strerror}.") from None
    if others:
        raise AskedWrongly(f"The course's secret at {path} may be read by others: run `chmod 600 {path}` first.")
    if len(secret) < 16:
        raise AskedWrongly(f"The course's secret at {path} has {len(secret)} characters; it needs at least 16.")
    return secret
