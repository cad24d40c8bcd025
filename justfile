# `just` alone does what you want before a commit; `.ci/run` does everything on a fresh machine.
# The environment is .venv, made by `just setup`.

export OMP_NUM_THREADS := "1"
export MKL_NUM_THREADS := "1"
export OMP_WAIT_POLICY := "PASSIVE"
export PATH := justfile_directory() / ".venv/bin" + ":" + env("PATH")

default: test lint

# make .venv and install the kit with everything that developing it needs
setup:
    python3 -m venv .venv
    .venv/bin/python -m pip install -c constraints.txt -e ".[dev]"

# run the tests; `just test -k relu` runs some
test *arguments:
    python -m pytest {{arguments}}

# check style and types, change nothing
lint:
    ruff check .
    ruff format --check .
    mypy

# put right what can be put right by itself
format:
    ruff check --fix .
    ruff format .

# prove sections: the reference passes, the stub fails, every mistake dies; `just validate 13`
validate *sections:
    nnkit validate {{sections}}

# the full proof, before a release
prove *sections:
    nnkit validate --mode both --seeds 20 {{sections}}

# measure what the docs promise
bench *arguments:
    python -m pytest tests/benchmarks -m "benchmark or not benchmark" -s {{arguments}}

# build sdist and wheel; the wheel is made from the sdist, so no stale build/ gets into it
build:
    python -m build

# pin every dependency again, for every platform (needs uv)
constraints:
    #!/usr/bin/env bash
    set -euo pipefail
    { head -n 2 constraints.txt
      uv pip compile pyproject.toml --quiet --universal --all-extras --python-version 3.11 --constraints <(echo torch==2.13.0) \
          --no-header --no-annotate --no-emit-index-url; } > constraints.new
    mv constraints.new constraints.txt

# everything, as on a fresh machine
ci:
    .ci/run
