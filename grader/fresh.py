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

from . import codec, worker, zygote
from .sandbox import Ceilings, Job
from .sandbox.gpu import GpuLevel
from .sandbox.user import FIRST_USER, OwnUser


def main() -> NoReturn:
    """Apply the level, import what was asked for, serve."""
    settings_socket = socket.socket(fileno=int(sys.argv[1]))
    settings = json.loads(settings_socket.recv(zygote.MESSAGE_LIMIT))
    settings_socket.close()
    os.dup2(int(sys.argv[2]), 1000)
    os.dup2(1000, zygote.WORKER_SOCKET)
    os.closerange(zygote.WORKER_SOCKET + 1, os.sysconf("SC_OPEN_MAX"))
    level = GpuLevel(settings["scratch"])
    if OwnUser.name in level.names:
        user = FIRST_USER + settings["slot"]
        os.chown(settings["scratch"], user, user)
    os.chdir(settings["scratch"])
    os.environ.update(HOME=settings["scratch"], TMPDIR=settings["scratch"])
    try:
        level.apply(Job(Ceilings(**settings["ceilings"]), settings["slot"]))
        for name in settings["modules"]:
            importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is told and nothing runs
        os.write(2, f"the worker could not be set up: {error!r}\n".encode())
        os._exit(zygote.SETUP_FAILED)
    zygote.write([*codec.Encoder().frame(["hello", level.names])])
    worker.serve(zygote.read, zygote.write)
    os._exit(0)


if __name__ == "__main__":
    main()
