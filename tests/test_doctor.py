"""`nnkit doctor` tries for real what this machine offers, and says what is missing, what that means and how to get it."""

import socket
import sys

import pytest
import typer

from nnkit import cli
from nnkit.grader import doctor, sandbox
from nnkit.grader.doctor import AttackReport, Report
from nnkit.grader.errors import NoIsolation
from nnkit.grader.report import terminal


@pytest.fixture(scope="module")
def report():
    """What the doctor finds here."""
    if sandbox.Jail("strict").refusal:
        pytest.skip("this machine cannot jail anybody")
    return doctor.examine()


def test_every_attack_is_stopped_by_the_jail(report):
    """A whole jail stops all of them, by refusing and not by breaking down: nothing says that a name is missing"""
    assert report.healthy
    assert [attack.attack for attack in report.attacks if not attack.stopped] == []
    assert len(report.attacks) == 8
    assert not [attack.how for attack in report.attacks if attack.how.endswith(": ")]
    assert not [attack.how for attack in report.attacks if "NameError" in attack.how or "AttributeError" in attack.how]


@pytest.mark.parametrize("name", [make.name for make in sandbox.ORDER])
def test_a_missing_layer_says_what_it_means_and_how_to_get_it(name):
    """Each of the layers, were it not there"""
    layer = doctor._layer(name, "the kernel says no")

    text = terminal.examined(Report({}, (layer,), (), "")).replace("\n", " ")

    assert f"{name} is missing: the kernel says no" in text
    assert layer.consequence.split()[0] in text.partition("so ")[2]
    assert "to get it: " in text
    assert not layer.works


def test_the_attacks_would_get_through_without_a_jail(open_zygote):
    """The same calls succeed where nothing is isolated: an attack that cannot succeed would prove nothing"""
    client = open_zygote.client()
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            given = ("builtins", "os", "socket")
            found = doctor._attempt(lambda: doctor._worker(client, given), "connect", [port])
    finally:
        client.close()

    assert found == (False, "it came back with 'connected'")


def test_an_attack_that_gets_through_is_told(monkeypatch, capsys):
    """NOT STOPPED, and exit code 1"""
    found = Report({}, (), (AttackReport("read a file", stopped=False, how="it came back with 'x'"),), "")
    monkeypatch.setattr(doctor, "examine", lambda: found)
    monkeypatch.setattr(sys, "argv", ["nnkit", "doctor"])

    with pytest.raises(SystemExit) as stop:
        cli.main()

    assert stop.value.code == 1
    assert "0 of 1 attacks on the jail stopped:\n  NOT STOPPED: read a file" in capsys.readouterr().out


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_elsewhere_only_checking_is_offered(monkeypatch, capsys, system):
    """Without Linux nothing is tried, the sentence says what works, and the exit code is 1"""
    monkeypatch.setattr(sys, "platform", system)

    found = doctor.examine()

    assert (found.layers, found.attacks, found.healthy) == ((), (), False)
    assert "`nnkit check` on your own code is offered" in found.refusal
    with pytest.raises(typer.Exit) as stop:
        cli.doctor()
    assert stop.value.exit_code == 1
    assert "`nnkit grade` is not" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_elsewhere_nothing_is_graded(monkeypatch, tmp_path, system):
    """Refused before a secret is made or a file is read, with the doctor's own sentence, as asked wrongly"""
    monkeypatch.setattr(sys, "platform", system)

    with pytest.raises(
        NoIsolation, match="needs Linux; on this system `nnkit check` on your own code is offered"
    ) as no:
        cli.grade(tmp_path / "not_there")

    assert no.value.exit_code == 2


def test_a_package_that_is_missing_is_said(monkeypatch):
    """No torch is no failure"""

    def version(name):
        if name == "torch":
            raise doctor.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "version", version)

    assert doctor._versions()["torch"] == "not installed"
    assert doctor._versions()["numpy"] == "1.0"
