"""Every error that nnkit raises on purpose, as one tree, each with the exit code of the command it ends.

Exit codes: 0 passed, 1 not passed, 2 asked wrongly, 3 our fault, 130 stopped by the user.
"""

ONLY_CHECKING = (
    "Isolating the code of others needs Linux; on this system `nnkit check` on your own code is offered, "
    "and `nnkit grade` is not."
)


class NnkitError(Exception):
    """Base of all our errors. Its text is one sentence for a person: what, where, what was expected, what to do next."""

    exit_code = 3


class AskedWrongly(NnkitError):
    """The command, a file or an option cannot be used as given; the person can put it right."""

    exit_code = 2


class OurFault(NnkitError):
    """Something of nnkit's, or of this machine, did not work. It never costs a student points."""

    exit_code = 3


class Stopped(NnkitError):
    """A person stopped the command in the middle; the text says what is left of its work."""

    exit_code = 130


class CourseError(AskedWrongly):
    """A section's own files are wrong: section.toml, a suite, a catalogue of mistakes."""


class UnknownSection(AskedWrongly):
    """There is no such section in this course."""


class NothingMatches(AskedWrongly):
    """No test of a section matches the keyword; of another section one may."""


class NoSolutions(AskedWrongly):
    """A command for instructors was called where no solutions are installed."""


class WorkspaceError(AskedWrongly):
    """The student's folder does not hold what the command needs."""


class NoData(AskedWrongly):
    """A data set is not there, is damaged, or could not be fetched; the person can put it right."""


class NoIsolation(AskedWrongly):
    """This machine cannot isolate untrusted code as well as was asked for."""


class RefusedSubmission(AskedWrongly):
    """A submission is not even run: too large, not a file, a link, a forbidden name."""


class ProtocolError(Exception):
    """The other side of the wire sent bytes that are not a well-formed message. Never shown as it is."""


class WorkerEnded(Exception):
    """A worker was ended, or ended itself, in the middle of a question.

    `state` is a submission's state (timeout, out_of_memory, killed, crashed, protocol_error); the text says what
    happened in the words of a student's report.
    """

    def __init__(self, state: str, sentence: str) -> None:
        super().__init__(sentence)
        self.state = state


class TooSlow(AssertionError):
    """The student's code used too much processor time: a test that fails, like any other."""
