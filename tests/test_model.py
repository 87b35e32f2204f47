"""The whole public model: every operation has an answer with a type, none a bare 404."""

import json

import pytest

from support import compatibility, requests, signing

OPERATIONS = requests.operations()
# What the page says is there. Every other operation says that it is not.
IMPLEMENTED = {name for name, state in compatibility.states().items() if state != "not yet"}


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_operation_has_a_typed_answer(server, name):
    operation = OPERATIONS[name]
    parameters = requests.minimal(operation.input_shape) if operation.input_shape else {}
    method, target, headers, body = requests.serialize(operation, parameters)
    status, headers, body = signing.request(server, method, target, body, headers)
    assert headers["x-amzn-requestid"]
    if status < 300:
        assert name in IMPLEMENTED
        return
    code = headers["x-amzn-errortype"].split(":")[0]
    answer = json.loads(body)
    assert answer.get("message") or answer.get("Message")
    if name in IMPLEMENTED:
        assert code != "NotImplementedException"
        assert status != 501
    else:
        assert (status, code) == (501, "NotImplementedException")
        assert name in (answer.get("message") or answer.get("Message"))


def test_what_is_no_operation_is_typed_too(server):
    for method, path in (("GET", "/"), ("PATCH", "/2015-03-31/functions"), ("GET", "/2099-01-01/x")):
        status, headers, body = signing.request(server, method, path)
        assert 400 <= status < 500
        assert headers["x-amzn-errortype"]
        assert json.loads(body)
