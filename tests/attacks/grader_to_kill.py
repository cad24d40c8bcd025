"""A grader to be killed: a zygote, a process of it that asks, and a worker in some state; run by test_killed.py.

Its first argument is a JSON list of layers to leave out, its second the worker's state: "waits", "loops" or "answers".
Writes one line when all is as it should be: the process numbers of the grader, of the process that asks, of the zygote,
and of the worker.
"""

import json
import os
import sys

from nnkit.grader import codec
from nnkit.grader.processes import Patience, Zygote
from nnkit.grader.sandbox import Ceilings, Job
from nnkit.grader.sandbox.tether import DiesWithParent
from nnkit.grader.transport import no_call_back

CODE = b"""
def loops(tell):
    tell(0)
    while True:
        pass

def answers(tell):
    tell(0)
    return 1
"""
PATIENCE = Patience(30.0, 60.0)


def main():
    zygote = Zygote(torch=False, without=tuple(json.loads(sys.argv[1])))
    client = zygote.client()
    asking = os.fork()
    if asking == 0:
        DiesWithParent().apply(Job.empty())  # as session processes do
        zygote.forget()
        ask(client, sys.argv[2], zygote)
        os._exit(0)
    client.forget()
    os.waitpid(asking, 0)
    sys.stdin.read()  # the one who asks was killed: live on until the test has looked


def ask(client, state, zygote):
    process = client.fork(Ceilings(1 << 30, 60))

    def called_back(head, _buffers):
        if b"\xa4back" not in bytes(head[:8]):
            return None
        if state == "loops":
            tell()
        return codec.Encoder().frame(["value", None])

    def tell():
        print(json.dumps([os.getppid(), os.getpid(), zygote.pid, process.pid]), flush=True)

    question = ["load", {"k.py": CODE}, "k", [], "13", "", 1]
    process.ask_all([codec.Encoder().frame(question)], PATIENCE, no_call_back)
    if state == "waits":
        tell()
        sys.stdin.read()
    while True:
        question = ["call", ["name", state], [print], {}, False]
        process.ask_all([codec.Encoder(lambda _: [codec.CALLBACK, 0]).frame(question)], PATIENCE, called_back)
        if state == "answers":
            tell()


if __name__ == "__main__":
    main()
