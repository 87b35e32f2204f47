"""lambent's own commands through a proxy that terminates TLS."""

import json
import subprocess

import pytest
from support import tls
from support.cli import environment
from support.server import binary


@pytest.fixture
def through(server, tmp_path):
    """Runs a command of `lambent` through the proxy."""
    key, certificate = tls.certificate(tmp_path)
    with tls.proxy(server, key, certificate) as url:

        def run(*arguments, **variables):
            line = [binary(), *arguments, "--endpoint", url]
            variables = {**environment(server, tmp_path), **variables}
            done = subprocess.run(line, env=variables, capture_output=True, text=True, timeout=60)
            return done.returncode, done.stdout, done.stderr

        yield run, certificate


def test_an_authority_of_ones_own_is_believed(through, deploy):
    run, certificate = through
    name = deploy("def handler(event, context):\n    return event\n")
    status, out, err = run("invoke", name, "--payload", '{"a": 1}', AWS_CA_BUNDLE=str(certificate))
    assert (status, err) == (0, "") and json.loads(out) == {"a": 1}


def test_nobody_else_is(through):
    run, _ = through
    status, _, err = run("functions")
    assert status != 0 and "there is no answer from https://localhost:" in err
    assert "certificate" in err
    status, _, err = run("functions", AWS_CA_BUNDLE="/nowhere.pem")
    assert status != 0 and "/nowhere.pem cannot be read" in err
