"""Every constraint of the public model, tried with a value that breaks it, on every operation that
docs/compatibility.md says is there.

Operations, members, constraints and words come from the model of the pinned client.
"""

import http.client
import json
import re
import urllib.parse

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support import compatibility, requests

OPERATIONS = requests.operations()

# Constraints that are refused otherwise than the model would have it, each with its reason: by
# operation (or "*"), member, and rule (or "*").
OTHERWISE = {
    ("*", "runtime", "enum"): "which runtimes there are the installation says: test_functions.py",
    ("*", "compatibleRuntimes", "member"): "as runtime: test_layers.py",
    ("*", "compatibleRuntime", "enum"): "as runtime: test_layers.py",
}


THERE = sorted(name for name, state in compatibility.states().items() if state in ("works", "partly"))


class Sender:
    """Signs and sends over one connection."""

    def __init__(self, server):
        address = urllib.parse.urlparse(server.url)
        self.connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        self.url = server.url
        self.auth = SigV4Auth(Credentials(*server.credentials()), "lambda", "us-east-1")

    def send(self, operation, parameters):
        method, target, headers, body = requests.serialize(operation, parameters)
        signed = AWSRequest(method=method, url=self.url + target, data=body, headers=headers)
        self.auth.add_auth(signed)
        self.connection.request(method, target, body=body, headers=dict(signed.headers.items()))
        answer = self.connection.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, names.get("x-amzn-errortype", ""), answer.read()


@pytest.fixture(scope="module")
def sender(server):
    sender = Sender(server)
    yield sender
    sender.connection.close()


def is_otherwise(name, case):
    for operation in ("*", name):
        for rule in ("*", case.rule):
            if (operation, case.at, rule) in OTHERWISE:
                return True
    return False


def test_the_page_knows_every_operation():
    states = compatibility.states()
    assert set(states) == set(OPERATIONS)
    assert set(states.values()) <= {"works", "partly", "not yet"}


@pytest.mark.parametrize("name", THERE)
def test_every_constraint_is_kept(sender, name):
    operation = OPERATIONS[name]
    wrong = []
    for case in requests.cases(operation):
        if is_otherwise(name, case):
            continue
        status, code, body = sender.send(operation, case.parameters)
        message = json.loads(body).get("message", "") if status >= 400 else ""
        fine = (status, code) == (400, "ValidationException") and case.expected in message
        if not fine or not re.match(r"\d+ validation errors? detected: ", message):
            wrong.append(f"{case.at} {case.rule}: wanted {case.expected!r}, got {status} {code} {message!r}")
    assert not wrong, f"{len(wrong)} of {name}:\n" + "\n".join(wrong)


def test_what_is_refused_otherwise_is_of_the_model():
    """The list of exceptions has no entry that the model no longer has."""
    known = {(case.at, case.rule) for operation in OPERATIONS.values() for case in requests.cases(operation)}
    for _, at, rule in OTHERWISE:
        assert any(at == known_at and rule in ("*", known_rule) for known_at, known_rule in known), at


def test_right_requests_are_right(sender):
    """What the cases are made from breaks no constraint itself."""
    for name in sorted(OPERATIONS):
        operation = OPERATIONS[name]
        shape = operation.input_shape
        parameters = requests.minimal(shape) if shape else {}
        if name in ("DeleteFunction", "CreateFunction"):
            continue
        _, code, body = sender.send(operation, parameters)
        assert code != "ValidationException", f"{name}: {body}"
