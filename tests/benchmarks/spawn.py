"""Makes workers one after the other, has each import a file and answer once, and ends it: `spawn.py LEVEL COUNT`."""

import sys

import numpy as np

from nnkit.grader.processes import Patience, Zygote
from nnkit.grader.remote import Budget, RemoteTransport
from nnkit.grader.sandbox import Ceilings
from nnkit.grader.student import Student
from nnkit.grader.transport import Files


def main():
    """Make so many."""
    zygote = Zygote(torch=False, level=sys.argv[1])
    client = zygote.client()
    patience = Patience(10.0, 60.0)
    for _ in range(int(sys.argv[2])):
        transport = RemoteTransport(client, Ceilings(4 << 30, 60), Budget(20.0, 100.0, patience, patience))
        student = Student(transport, Files({"k.py": b"def f(x):\n    return 2 * x\n"}, "k", "13", ()))
        assert student.f(np.ones(3)).sum() == 6
        student.close()
    client.close()
    zygote.close()


if __name__ == "__main__":
    main()
