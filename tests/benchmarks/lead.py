"""Leads the reference of a section through both suites, again and again: `python lead.py SECTION local|graded COUNT`."""

import sys

from nnkit.grader import course, session
from nnkit.grader.seeds import Seeds
from nnkit.grader.subjects import makers, zygote_for


def main():
    """Run, with or without a zygote."""
    section, mode, count = course.section(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    zygote = zygote_for([section]) if mode == "graded" else None
    client = zygote.client() if zygote else None
    with makers(section, Seeds(b"benchmark"), client) as made:

        def visits():
            for _ in range(count):
                subject = made.subject(made.reference_files)
                yield session.Visit(subject, done=lambda _, student=subject.student: student.close())
                made.order_next()

        session.run([section.visible_suite, section.hidden_suite], visits(), points=1.0)
    if client:
        client.close()
        zygote.close()


if __name__ == "__main__":
    main()
