"""The command with short deadlines: attacks that only wait need not be waited for."""

from nnkit import cli
from nnkit.grader import subjects
from nnkit.grader.processes import Patience
from nnkit.grader.remote import Budget


def short(_section):
    return Budget(cpu=3.0, wall=12.0, per_question=Patience(1.0, 4.0), after_first_timeout=Patience(0.3, 1.0))


subjects.budget_for = short
if __name__ == "__main__":
    cli.main()
