"""Which Python the environments are built with, what is said where none will do, and the lock."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.11", "3.12", "3.13")
TOOLS = ("bash", "env", "dirname", "cat", "git", "cut", "df", "awk", "uname", "rm", "make")
MACHINES = [
    {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "aarch64"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
]


def write_program(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def make_python(path, version, venv=True):
    """A stand-in that gives itself out for another version, with or without venv."""
    without = "" if venv else "sys.modules['ensurepip'] = None; "
    pretend = f"import sys; sys.version_info = ({version.replace('.', ', ')}, 1); {without}"
    run = "sys.argv = sys.argv[1:]; exec(sys.argv[0])"
    write_program(path, f'#!/bin/sh\nshift\nexec {sys.executable} -c "{pretend}{run}" "$@"\n')


@pytest.fixture
def machine(tmp_path):
    """A copy of what set-up reads, and a folder of programs that is all of PATH."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    return tmp_path


def run(machine, *command, **variables):
    environment = {"PATH": str(machine / "programs"), "HOME": str(machine), **variables}
    return subprocess.run(
        command, cwd=machine, env=environment, capture_output=True, text=True, check=False
    )


def choose(machine, *versions, **variables):
    return run(machine, "requirements/python.sh", *versions, **variables)


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ({"python3": "3.12"}, "python3"),
        ({"python3": "3.13", "python3.12": "3.12"}, "python3.12"),
        ({"python3": "3.14", "python": "3.13"}, "python"),
        ({"python3.11": "3.11", "python3.12": "3.12"}, "python3.11"),
    ],
)
def test_the_first_python_of_a_wanted_version_is_taken(machine, there, chosen):
    for name, version in there.items():
        make_python(machine / "programs" / name, version)
    assert choose(machine, *VERSIONS).stdout == f"{chosen}\n"


def test_a_python_without_venv_or_of_another_version_is_passed_over(machine):
    make_python(machine / "programs/python3.11", "3.11", venv=False)
    make_python(machine / "programs/python3", "3.12")
    assert choose(machine, *VERSIONS).stdout == "python3\n"
    assert choose(machine, "3.11").returncode != 0


def test_the_python_that_is_named_is_taken_or_nothing(machine):
    make_python(machine / "programs/python3", "3.11")
    own = machine / "own/python"
    make_python(own, "3.13")
    assert choose(machine, *VERSIONS, PYTHON=str(own)).stdout == f"{own}\n"
    old = machine / "own/old"
    make_python(old, "3.9")
    done = choose(machine, *VERSIONS, PYTHON=str(old))
    assert (done.stdout, done.returncode) == ("", 1)


def test_where_none_is_at_hand_uv_downloads_one(machine):
    python = machine / "managed/python3.11"
    write_program(
        machine / "programs/uv",
        f'#!/bin/sh\ncase "$1 $2 $3" in\n"python install --no-bin") echo "$4" > {machine}/asked;;\n'
        f'"python find --managed-python") test -e {machine}/asked && echo {python};;\nesac\n',
    )
    assert choose(machine, "3.11").stdout == f"{python}\n"
    assert (machine / "asked").read_text() == "3.11\n"


def test_without_a_python_set_up_says_in_one_line_what_to_do(machine):
    make_python(machine / "programs/python3", "3.10")
    done = run(machine, "make", "setup", "NEEDED_GB=0")
    assert done.returncode == 2
    said, failed = done.stderr.splitlines()
    assert said.startswith("Python 3.11, 3.12 or 3.13 with its venv module is missing; on Debian")
    assert "sudo apt-get install python3 python3-venv" in said
    assert failed.startswith("make: ***")
    assert not (machine / ".venv").exists()


def test_too_small_a_disk_is_said_in_one_line_before_anything_is_done(machine):
    make_python(machine / "programs/python3", "3.11")
    done = run(machine, "make", "setup", "NEEDED_GB=99999999")
    assert done.returncode == 2
    assert re.match(r"Both environments take 99999999 GB of disk, and \d+ are free in", done.stderr)
    assert not (machine / ".venv").exists()


@pytest.mark.parametrize("where", MACHINES, ids=lambda where: where["platform_machine"])
@pytest.mark.parametrize("python", VERSIONS)
def test_each_direct_requirement_is_locked_once_on_each_machine(python, where):
    environment = {
        **where,
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    wanted, locked = (applicable(name, environment) for name in ("main.in", "main.txt"))
    assert len(locked) == len({name for name, _ in locked})
    versions = dict(locked)
    for name, requirement in wanted:
        (pin,) = versions[name].specifier
        assert requirement.specifier.contains(pin.version), name


def applicable(file, environment):
    """Normalised names and requirements of a file that hold in an environment."""
    lines = (ROOT / "requirements" / file).read_text().splitlines()
    stated = [line.removesuffix("\\").strip() for line in lines if re.match(r"[A-Za-z]", line)]
    found = [Requirement(line) for line in stated]
    return [
        (re.sub(r"[-_.]+", "-", one.name).lower(), one)
        for one in found
        if one.marker is None or one.marker.evaluate(environment)
    ]


@pytest.mark.parametrize("python", VERSIONS)
def test_numpy_is_the_newest_that_detectron2_and_python_allow(python):
    environment = {**MACHINES[0], "python_version": python, "python_full_version": f"{python}.0"}
    (numpy,) = [one for name, one in applicable("main.txt", environment) if name == "numpy"]
    (pin,) = numpy.specifier
    assert pin.version.startswith("2." if python == "3.13" else "1.26.")


def test_what_the_locks_are_made_for_is_what_the_project_accepts():
    text = (ROOT / "pyproject.toml").read_text()
    assert 'requires-python = ">=3.11,<3.14"' in text
    environment = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(
        [ROOT / "requirements/python.sh", *VERSIONS],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == sys.executable
