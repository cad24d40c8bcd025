"""What is shipped: everything a student needs, and nothing a student must not have."""

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SECTION = "s99_sample"
SEEN = ("section.toml", "README.md", "sample.py", "test_sample.py", "demo.py", "wrong_outputs.bin")
UNSEEN = ("sample.py", "test_hidden.py", "mistakes.py")
SECRET = "the reference of section 99"


def modules():
    """Every module of the kit that must be shipped, as it lies in the checkout."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "grader").rglob("*.py"))


def course_files():
    """Every file of every section, as git or a careful person would list them: nothing hidden, nothing compiled."""
    files = (path for path in (ROOT / "exercises").glob("s[0-9][0-9]*/*") if path.is_file())
    return sorted(str(path.relative_to(ROOT)) for path in files if path.suffix not in {".pyc", ".tmp", ".new"})


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """An sdist, a wheel from it and a wheel straight from the checkout, built without a network from a checkout that is full of other things."""
    folder = tmp_path_factory.mktemp("packaging")
    checkout = folder / "checkout"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(".*", "*.egg-info", "build", "dist", "__pycache__"))
    for tree, names in (("exercises", SEEN), ("solutions", UNSEEN)):
        (checkout / tree / SECTION).mkdir(parents=True)
        for name in names:
            (checkout / tree / SECTION / name).write_text(f"# {SECRET}\n" if tree == "solutions" else "# seen\n")
    for litter in (
        "exercises/.nnkit/fetched.json",
        "exercises/__pycache__/sample.pyc",
        f"exercises/{SECTION}/__pycache__/sample.cpython-311.pyc",
        f"exercises/{SECTION}/sample.py.new",
        f"exercises/{SECTION}/.sample.py.swp",
        "grades/grades.csv",
        "gradebook.sqlite",
        "secret.key",
        "build/lib/nnkit/solutions/s13_relu/relu.py",
        "nnkit.egg-info/SOURCES.txt",
    ):
        (checkout / litter).parent.mkdir(parents=True, exist_ok=True)
        (checkout / litter).write_text("litter\n")
    # An old list of files that names a solution: setuptools would believe it.
    (checkout / "nnkit.egg-info" / "SOURCES.txt").write_text(f"solutions/{SECTION}/sample.py\ntests/test_course.py\n")
    build = [sys.executable, "-m", "build", "--no-isolation", str(checkout), "--outdir"]
    subprocess.run([*build, str(folder / "both")], check=True, capture_output=True, timeout=240)
    shutil.rmtree(checkout / "build")  # a stale one would be believed, so a release builds its wheel from the sdist
    subprocess.run([*build, str(folder / "direct"), "--wheel"], check=True, capture_output=True, timeout=240)
    [sdist], [wheel], [direct] = (folder.glob(name) for name in ("both/*.tar.gz", "both/*.whl", "direct/*.whl"))
    return {"sdist": sdist, "wheel from the sdist": wheel, "wheel from the checkout": direct}


@pytest.fixture(scope="module", params=["wheel from the sdist", "wheel from the checkout"])
def wheel(archives, request):
    with zipfile.ZipFile(archives[request.param]) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def sdist(archives):
    with tarfile.open(archives["sdist"]) as archive:
        return {name.partition("/")[2] for name in archive.getnames() if archive.getmember(name).isfile()}


def test_only_nnkit_and_its_metadata_reach_site_packages(wheel):
    """Nothing else would lie beside other people's packages"""
    tops = {name.partition("/")[0] for name in wheel}

    assert len(tops) == 2
    assert "nnkit" in tops
    assert all(top == "nnkit" or top.endswith(".dist-info") for top in tops)


def test_the_package_root_holds_the_command_and_nothing_else(wheel):
    """A file put beside cli.py would be shipped as a module"""
    assert {name for name in wheel if name.count("/") == 1 and name.startswith("nnkit/")} == {
        "nnkit/__init__.py",
        "nnkit/cli.py",
    }


def test_no_solution_and_no_test_is_shipped(wheel, sdist):
    """No reference, no hidden suite, no mistakes, no tests of the kit, in the wheel and in the sdist"""
    for name in wheel | sdist:
        assert "solutions" not in name.split("/"), name
        assert "tests" not in name.split("/"), name
        assert not name.endswith(("test_hidden.py", "mistakes.py")) or name.endswith("grader/mistakes.py"), name


def test_no_text_of_a_solution_is_shipped(archives):
    """Under whatever name: the planted sentence stands in no file of either archive"""
    texts = []
    for path in (archives["wheel from the sdist"], archives["wheel from the checkout"]):
        with zipfile.ZipFile(path) as archive:
            texts += [archive.read(name) for name in archive.namelist()]
    with tarfile.open(archives["sdist"]) as archive:
        texts += [archive.extractfile(member).read() for member in archive.getmembers() if member.isfile()]

    assert not any(SECRET.encode() in text for text in texts)


def test_every_module_is_shipped(wheel, sdist):
    """A forgotten subpackage would vanish silently"""
    for module in [*modules(), "__init__.py", "cli.py"]:
        assert f"nnkit/{module}" in wheel, module
        assert module in sdist, module


def test_every_package_is_named():
    """Each folder of grader/ with modules in it is a package of pyproject.toml, and has an __init__.py"""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "grader").rglob("*.py")}

    assert {"nnkit", *("nnkit." + ".".join(folder.parts) for folder in folders)} == set(
        project["tool"]["setuptools"]["packages"]
    )
    for folder in folders:
        assert (ROOT / folder / "__init__.py").is_file(), folder


def test_every_file_of_every_section_is_shipped(wheel, sdist):
    """Lesson, stub, visible suite, pictures and the outputs of mistakes, and no litter"""
    expected = {*course_files(), *(f"exercises/{SECTION}/{name}" for name in SEEN)}

    assert {name.removeprefix("nnkit/") for name in wheel if name.startswith("nnkit/exercises/")} == expected
    assert {name for name in sdist if name.startswith("exercises/")} == expected


def test_the_sdist_holds_what_a_build_needs_and_no_more(sdist):
    """Only the package, its metadata and the files that describe it"""
    known = {"pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "PKG-INFO", "setup.cfg", "__init__.py", "cli.py"}

    assert {name for name in sdist if "/" not in name} == known
    assert {name.partition("/")[0] for name in sdist if "/" in name} == {"grader", "exercises", "nnkit.egg-info"}


def test_the_constraints_name_exact_versions_and_no_place(wheel):
    """One pin per line, torch as every index has it, no address and no folder of some machine"""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]

    assert "torch==2.13.0" in lines
    for line in lines:
        requirement = line.partition(";")[0].strip()
        name, _, version = requirement.partition("==")
        assert name, line
        assert version, line
        assert not set(requirement) & set("/@+: "), line


def test_the_constraints_cover_every_dependency():
    """Whatever pyproject.toml asks for is pinned"""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(need for extra in project["optional-dependencies"].values() for need in extra),
    ]
    names = {need.partition(">")[0].partition("[")[0].lower() for need in wanted} - {"nnkit"}
    pinned = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}

    assert names <= pinned
