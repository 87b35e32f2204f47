"""The whole public model: every operation has an answer with a type, none a bare 404."""

import json
import re

import pytest

from support import signing

# What exists so far. Every other operation says that it does not.
IMPLEMENTED = {
    "CreateAlias", "CreateFunction", "DeleteAlias", "DeleteFunction", "DeleteFunctionConcurrency",
    "GetAccountSettings", "GetAlias", "GetFunction", "GetFunctionConcurrency",
    "GetFunctionConfiguration", "Invoke", "ListAliases", "ListFunctions", "ListTags",
    "ListVersionsByFunction", "PublishVersion", "PutFunctionConcurrency", "TagResource",
    "UntagResource", "UpdateAlias", "UpdateFunctionCode", "UpdateFunctionConfiguration",
}  # fmt: skip


def operations():
    """Every operation of the model that the pinned client has."""
    import botocore.session

    model = botocore.session.Session().get_service_model("lambda")
    return [model.operation_model(name) for name in model.operation_names]


def path_of(operation):
    """A path of that operation."""
    values = {"Resource": "arn:aws:lambda:us-east-1:000000000000:function:absent",
              "CodeSigningConfigArn": "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0",
              "VersionNumber": "1"}

    def fill(match):
        from urllib.parse import quote

        return quote(values.get(match[1].rstrip("+"), "absent"), safe="")

    return re.sub(r"{(\w+\+?)}", fill, operation.http["requestUri"])


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.name)
def test_every_operation_has_a_typed_answer(server, operation):
    method = operation.http["method"]
    status, headers, body = signing.request(
        server, method, path_of(operation), b"{}" if method in ("POST", "PUT") else b""
    )
    assert headers["x-amzn-requestid"]
    if status < 300:
        assert operation.name in IMPLEMENTED
        return
    code = headers["x-amzn-errortype"].split(":")[0]
    answer = json.loads(body)
    assert answer.get("message") or answer.get("Message")
    if operation.name in IMPLEMENTED:
        assert code != "NotImplementedException"
        assert status != 501
    else:
        assert (status, code) == (501, "NotImplementedException")
        assert operation.name in (answer.get("message") or answer.get("Message"))


def test_the_list_of_what_exists_is_of_the_model():
    assert IMPLEMENTED <= {operation.name for operation in operations()}


def test_what_is_no_operation_is_typed_too(server):
    for method, path in (("GET", "/"), ("PATCH", "/2015-03-31/functions"), ("GET", "/2099-01-01/x")):
        status, headers, body = signing.request(server, method, path)
        assert 400 <= status < 500
        assert headers["x-amzn-errortype"]
        assert json.loads(body)
