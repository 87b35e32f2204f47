"""What the tests run on: the runtimes as `run` has built them, and the functions."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import Runtime

HERE = Path(__file__).parent
BUILT = Path(os.environ["LAMBENT_TEST_RUNTIMES"])
"""Ours and AWS's, side by side, as `runtimes/build OUT --ric` makes them."""


def version_of(command, pattern):
    import re

    text = subprocess.run(command, capture_output=True, text=True, check=True)
    return re.search(pattern, text.stdout + text.stderr).group(1)


def pair(name, version):
    """(ours, AWS's). A test without the second would test nothing: it fails, it is not skipped."""
    return Runtime((BUILT / name).resolve(), version), Runtime((BUILT / (name + "-ric")).resolve(), version)


@pytest.fixture(scope="session")
def python():
    return pair("python", version_of(["/usr/bin/python3", "--version"], r"Python (\d+\.\d+)"))


@pytest.fixture(scope="session")
def nodejs():
    return pair("nodejs", version_of(["node", "--version"], r"v(\d+)"))


@pytest.fixture(scope="session")
def nodejs24():
    node = BUILT / "node24"
    return Runtime((BUILT / "nodejs").resolve(), "24", node), Runtime((BUILT / "nodejs24-ric").resolve(), "24", node)


@pytest.fixture(scope="session")
def java():
    return pair("java", version_of(["java", "-version"], r'version "(\d+)'))


@pytest.fixture(scope="session")
def python_task():
    return HERE / "functions/python"


@pytest.fixture(scope="session")
def nodejs_task():
    return HERE / "functions/nodejs"


@pytest.fixture(scope="session")
def java_task(tmp_path_factory):
    """Compiled against AWS's own interfaces, as a function is, with the classes of AWS's events in its `lib`."""
    task = tmp_path_factory.mktemp("java")
    shutil.copytree(BUILT / "java-events", task / "lib")
    interfaces = "%s:%s/*" % (next((BUILT / "java-ric/lib").glob("aws-lambda-java-core-*.jar")), task / "lib")
    sources = (HERE / "functions/java").rglob("*.java")
    subprocess.run(["javac", "--release", "17", "-proc:none", "-cp", interfaces, "-d", task, *sources], check=True)
    return task


@pytest.fixture(autouse=True, scope="session")
def no_bytecode_beside_the_functions():
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    yield
    for folder in (HERE / "functions").rglob("__pycache__"):
        shutil.rmtree(folder)
