"""A worker in a process of its own, started fresh: for code that needs what a fork cannot have, such as a GPU.

Started by `processes.FreshClient` with one socket, on which it first reads its settings as one JSON message, then
serves questions like every worker. It imports torch after its layers stand, as the student's user.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
from typing import NoReturn

from . import codec, jailed
from .sandbox import SETUP_FAILED, Ceilings, Job
from .sandbox.gpu import GpuLevel

SETTINGS_LIMIT = 65536  # bytes


def main() -> NoReturn:
    """Apply the level, import what was asked for, serve."""
    settings_socket = socket.socket(fileno=int(sys.argv[1]))
    settings = json.loads(settings_socket.recv(SETTINGS_LIMIT))
    settings_socket.close()
    questions = int(sys.argv[2])
    if questions != jailed.WORKER_SOCKET:
        os.dup2(questions, jailed.WORKER_SOCKET, inheritable=False)  # what it starts has no say
    os.closerange(jailed.WORKER_SOCKET + 1, os.sysconf("SC_OPEN_MAX"))
    scratch = settings["scratch"]
    os.chdir(scratch)
    os.environ.update(HOME=scratch, TMPDIR=scratch)
    level = GpuLevel(scratch, settings["closed"])
    why = level.refusal
    try:
        if not why:
            level.apply(Job(Ceilings(**settings["ceilings"]), settings["slot"]))
            why = level.left_open()
        for name in settings["modules"] if not why else ():
            importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is told and nothing runs
        os.write(2, f"the worker could not be set up: {error!r}\n".encode())
        os._exit(SETUP_FAILED)
    jailed.write([*codec.Encoder().frame(["refused", why] if why else ["hello", level.names])])
    if why:
        os._exit(SETUP_FAILED)
    try:
        jailed.serve()  # ends the process when the grader closes the channel
    finally:
        os._exit(SETUP_FAILED)


if __name__ == "__main__":
    main()
