"""AWS SDKs of other languages, each with a suite of its own in its own language."""

import base64
import os
import shutil
import subprocess

import pytest

from support import functions
from support.server import REPOSITORY

SUITES = REPOSITORY / "tests" / "sdk"
# The code of every function of every suite.
SOURCE = """
    import { readFileSync } from 'node:fs';
    export const handler = async (event, context) => {
        if (event.fail) throw new RangeError('as told');
        if (event.print) console.log(event.print);
        if (event.read) return readFileSync(event.read, 'utf8');
        if (event.show) return context[event.show];
        return event;
    };
    // By its own event, or by that of a function URL.
    export const streaming = awslambda.streamifyResponse(async (event, stream) => {
        const asked = event.body ? JSON.parse(event.body) : event;
        for (const word of asked.words ?? []) stream.write(word);
        if (asked.fail) throw new RangeError('as told');
        stream.end();
    });
"""
# Few enough calls a second that twenty at once are too many, however slow the machine.
SLOW = """
[limits]
get_function_per_second = 3
get_policy_per_second = 3
control_plane_per_second = 3
"""


@pytest.fixture(scope="module")
def slow():
    """A server that throttles its control plane soon."""
    from support.server import Server

    server = Server(SLOW).start()
    yield server
    server.finish()


@pytest.fixture
def environment(server, slow):
    """The suites' settings: see the head of each."""
    package, _ = functions.source_package("nodejs20.x", SOURCE)
    told = {"PATH": os.environ["PATH"], "LAMBENT_PACKAGE": base64.b64encode(package).decode()}
    for prefix, one in (("LAMBENT_", server), ("LAMBENT_SLOW_", slow)):
        key, secret = one.credentials()
        told.update({f"{prefix}URL": one.url, f"{prefix}KEY": key, f"{prefix}SECRET": secret})
    return told


def fetched(language):
    """The folder in which `tools/sdks` has put a language's SDK."""
    done = subprocess.run([REPOSITORY / "tools" / "sdks", language], check=True, timeout=300,
                          stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def succeeds(command, **settings):
    done = subprocess.run(command, capture_output=True, text=True, **settings)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sdk_for_javascript(environment, tmp_path):
    # Node.js looks for modules next to the files that import them.
    files = [shutil.copy(path, tmp_path) for path in sorted((SUITES / "javascript").glob("*.mjs"))]
    os.symlink(f"{fetched('javascript')}/node_modules", tmp_path / "node_modules")
    tests = [path for path in files if str(path).endswith(".test.mjs")]
    succeeds(["node", "--test", *tests], cwd=tmp_path, env=environment, timeout=120)


def test_the_sdk_for_go(environment, tmp_path):
    folder = fetched("go")
    toolchain = {
        "GOROOT": f"{folder}/go", "GOTOOLCHAIN": "local", "GOMODCACHE": f"{folder}/modules",
        "GOCACHE": f"{folder}/build", "CGO_ENABLED": "0",
    }  # fmt: skip
    # The first time, all of the SDK is compiled.
    succeeds([f"{folder}/go/bin/go", "test", "-c", "-o", tmp_path / "suite", "."],
             cwd=SUITES / "go", env={**os.environ, **toolchain}, timeout=600)
    succeeds([tmp_path / "suite"], cwd=tmp_path, env=environment, timeout=120)
