"""The corpus is defeated wherever the core layer works: as root and as an ordinary user, with and without the others."""

import json
import os
import subprocess

import pytest

# Environment: the layers that are not to be had in it.
ENVIRONMENTS = {
    "no_landlock": {"landlock"},
    "no_namespaces": {"namespaces"},
    "container": {"namespaces", "control_groups"},
    "container,no_landlock": {"namespaces", "control_groups", "landlock"},
    "user": {"control_groups", "own_user"},
    "user,no_landlock": {"control_groups", "own_user", "landlock"},
    "user,no_namespaces": {"control_groups", "own_user", "namespaces"},
    "user,half_namespaces": {"control_groups", "own_user", "namespaces"},
    "user,container,no_landlock": {"control_groups", "own_user", "namespaces", "landlock"},
}


# In these every layer fails once, and the worst is among them; the others come with `-m long`.
ALWAYS = ("no_landlock", "container", "user", "user,half_namespaces", "user,container,no_landlock")


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[] if name in ALWAYS else [pytest.mark.long]) for name in ENVIRONMENTS],
)
def environment(request):
    """The name of an environment; only root can make one."""
    if os.getuid() != 0:
        pytest.skip("only root can make other environments")
    return request.param


@pytest.fixture(scope="module")
def there(environment, make_world):
    """What is attacked, by the one who grades in that environment."""
    with make_world(user="user" in environment) as made:
        yield made


@pytest.fixture(scope="module")
def found(environment, there, corpus, files_of, variables_of, enter):
    """What became of every attack that is soon over, each in a worker of its own."""
    attacks = {attack.name: files_of(attack, there) for attack in corpus if attack.run == "plain"}
    asked = json.dumps({name: {file: text.decode() for file, text in files.items()} for name, files in attacks.items()})
    done = subprocess.run(
        enter(environment, "attempt.py", "strict"), input=asked, env=variables_of(there), capture_output=True, text=True,
        check=False, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout) | {"errors": done.stderr}


def test_the_environment_is_what_it_says(environment, found, layers):
    """Exactly the layers work that are to be had there, and the core is one of them"""
    assert set(found["layers"]) == set(layers) - ENVIRONMENTS[environment]
    assert set(found["missing"]) == ENVIRONMENTS[environment] | (set(found["missing"]) - set(layers))


def test_nothing_is_achieved(found):
    """No attack gets what it wants, and the process that starts workers outlives them all"""
    assert {name: text for name, text in found["said"].items() if "ACHIEVED" in text} == {}


def test_honest_functions_answer(found, corpus):
    """Where the honest functions are to earn everything, relu answers: what was refused did not end the worker"""
    honest = [attack.name for attack in corpus if attack.run == "plain" and attack.earns == "all"]

    answers = {name: found["said"][name] for name in honest}
    assert answers == dict.fromkeys(honest, "answered array([0. , 2. , 0.5])")


def test_nothing_is_touched(found, there):
    """No file, process, shared memory or message is left; no signal, connection or limit reached anybody"""
    assert there.harm() == []
    assert [name for name, text in there.secrets.items() if text in json.dumps(found)] == []


def doctors(enter, environment, variables):
    """What the doctor says in an environment: exit code, document."""
    done = subprocess.run(
        enter(environment, "nnkit.cli", "doctor", "--json"), env=variables, capture_output=True, text=True, check=False,
        timeout=120, cwd="/",
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    (document,) = json.loads(done.stdout)["results"]
    return done.returncode, document


def test_the_doctor_tells_the_truth(environment, found, there, layers, enter, variables_of):
    """What it calls missing is missing, with the reason that the workers' own jail gave; every attack was stopped"""
    code, document = doctors(enter, environment, variables_of(there))

    told = {layer["layer"]: layer for layer in document["layers"]}
    assert [name for name, layer in told.items() if layer["works"]] == found["layers"]
    for name in found["missing"]:
        assert (told[name]["works"], told[name]["why"]) == (False, found["missing"][name])
        assert told[name]["consequence"]
        assert told[name]["cure"]
    assert ENVIRONMENTS[environment] & set(layers) <= set(found["missing"])
    assert (code, document["healthy"], document["refusal"]) == (0, True, "")
    assert [attack["attack"] for attack in document["attacks"] if not attack["stopped"]] == []
    assert len(document["attacks"]) == 8


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make other environments")
@pytest.mark.parametrize("place", ["no_filters", "user,no_filters"])
def test_without_the_core(place, layers, make_world, enter, variables_of, grade, tmp_path):
    """The doctor says so with exit code 1; strict refuses with 2 before any code runs; best goes on and says in what"""
    without = set(layers) - {"system_calls"} - ({"control_groups", "own_user"} if "user" in place else set())
    with make_world(user="user" in place) as world:
        variables = variables_of(world)
        code, document = doctors(enter, place, variables)

        assert (code, document["healthy"], document["attacks"]) == (1, False, [])
        assert "the list of system calls, does not work here" in document["refusal"]
        assert {layer["layer"] for layer in document["layers"] if layer["works"]} == without
        refused = subprocess.run(
            enter(place, "nnkit.cli", "grade", str(submission(tmp_path)), "--section", "13", "--secret-file",
                  str(world.course_secret)),
            env=variables, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "Isolation at level strict is not possible on this machine: its core layer" in refused.stderr
        assert "`nnkit doctor` shows what is missing" in refused.stderr
        run = grade(tmp_path / "best", world, [], environment=place, options=["--isolation", "best"])
    assert (run.code, run.harm) == (0, [])
    assert set(run.results["ada"]["isolation"].split("+")) == without
    assert run.results["ada"]["score"] == run.results["ada"]["max_score"]


def submission(folder):
    """A class of one."""
    (folder / "class" / "ada").mkdir(parents=True)
    (folder / "class" / "ada" / "relu.py").write_text("relu = print\n")
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o777)
    return folder / "class"


@pytest.mark.long
def test_corpus_by_command(environment, there, corpus, grade, tmp_path):
    """The whole corpus, graded by the real command in that environment, ends as it does in ours"""
    attacks = [attack for attack in corpus if attack.run == "plain"]
    run = grade(tmp_path, there, attacks, environment=environment)

    assert (run.code, run.harm) == (0, [])
    for who in ("ada", "alan", "grace"):
        assert run.results[who]["score"] == run.results[who]["max_score"]
    for attack in attacks:
        result = run.results[attack.name]
        assert (result["state"], "ACHIEVED" in json.dumps(result)) == (attack.ends, False), (
            attack.name,
            result["detail"],
        )
        if attack.earns in {"all", "nothing"}:
            assert result["score"] == {"all": result["max_score"], "nothing": 0}[attack.earns], attack.name
        elif attack.earns == "less":
            assert result["score"] < result["max_score"], attack.name
