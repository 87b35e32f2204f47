"""Signatures: which are accepted, and how others are refused."""

import datetime
import json
import re
import urllib.parse

import pytest
from botocore.exceptions import ClientError

from support import clients, functions, signing

PATH = "/2015-03-31/functions"


def refused(answer, status, code, words=""):
    """An answer is this refusal."""
    got, headers, body = answer
    text = json.loads(body)
    message = text.get("message") or text.get("Message")
    assert got == status, answer
    assert headers["x-amzn-errortype"].split(":")[0] == code, answer
    assert words in message, message
    assert headers["x-amzn-requestid"]


def test_a_good_signature_is_let_in(server):
    assert signing.request(server, "GET", PATH)[0] == 200
    assert signing.request(server, "GET", PATH, query_expires=60)[0] == 200


def test_no_signature_at_all(server):
    refused(signing.send(server, "GET", PATH, {}), 403, "MissingAuthenticationTokenException",
            "Missing Authentication Token")


def test_an_unknown_key(server):
    answer = signing.request(server, "GET", PATH, keys=("AKIANOBODYNOBODYNOBO", "x" * 40))
    refused(answer, 403, "UnrecognizedClientException",
            "The security token included in the request is invalid.")


def test_a_wrong_secret(server):
    key, _ = server.credentials()
    answer = signing.request(server, "GET", PATH, keys=(key, "x" * 40))
    refused(answer, 403, "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided.")


@pytest.mark.parametrize("where", ["body", "header", "query", "path", "method"])
def test_whatever_is_changed_after_signing_is_noticed(server, where):
    def change(request):
        if where == "header":
            request.headers.replace_header("X-Amz-Date", request.headers["X-Amz-Date"])
            request.headers["X-Amz-Security-Token"] = "added"
        if where == "query":
            request.url += "?MaxItems=1"
        if where == "path":
            request.url += "/x"

    key = server.credentials()
    if where == "body":
        signed = {}
        signing.request(server, "POST", PATH, b"{}", change=lambda r: signed.update(r.headers.items()))
        answer = signing.send(server, "POST", PATH, signed, b"[]")
    elif where == "method":
        signed = {}
        signing.request(server, "GET", PATH, change=lambda r: signed.update(r.headers.items()))
        answer = signing.send(server, "POST", PATH, signed)
    else:
        answer = signing.request(server, "GET", PATH, keys=key, change=change)
    assert answer[0] == 403, answer


def at(monkeypatch, when):
    """Signs as if it were `when`."""
    import botocore.auth

    for name in ("get_current_datetime",):
        if hasattr(botocore.auth, name):
            monkeypatch.setattr(
                botocore.auth, name, lambda remove_tzinfo=True: when.replace(tzinfo=None)
            )


@pytest.mark.parametrize("minutes, good", [(-6, False), (-4, True), (4, True), (6, False)])
def test_clocks_may_differ_by_five_minutes(server, monkeypatch, minutes, good):
    now = datetime.datetime.now(datetime.timezone.utc)
    at(monkeypatch, now + datetime.timedelta(minutes=minutes))
    answer = signing.request(server, "GET", PATH)
    if good:
        assert answer[0] == 200
    else:
        refused(answer, 403, "InvalidSignatureException", "Signature ")


def test_a_presigned_request_expires(server, monkeypatch):
    now = datetime.datetime.now(datetime.timezone.utc)
    at(monkeypatch, now - datetime.timedelta(minutes=10))
    assert signing.request(server, "GET", PATH, query_expires=900)[0] == 200
    refused(signing.request(server, "GET", PATH, query_expires=60), 403,
            "InvalidSignatureException", "Signature expired")


@pytest.mark.parametrize(
    "header",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=AKIA/20240101/us-east-1/lambda/aws4_request",
        "AWS4-HMAC-SHA256 Credential=AKIA, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=" + "/" * 3000 + ", SignedHeaders=;;, Signature=",
        "Basic dXNlcjpwYXNz",
        "Bearer x",
    ],
)
def test_half_a_signature_is_refused(server, header):
    headers = {"Authorization": header, "X-Amz-Date": "20240101T000000Z"}
    status, names, body = signing.send(server, "GET", PATH, headers)
    assert status in (400, 403), body
    assert names["x-amzn-errortype"]
    assert json.loads(body)


def test_a_signature_is_for_one_service(server):
    answer = signing.request(server, "GET", PATH, service="s3")
    assert answer[0] == 403, answer


def test_the_callers_identity(server):
    sts = clients.make(server, "sts")
    found = sts.get_caller_identity()
    assert found["Account"] == "000000000000"
    assert found["Arn"] == "arn:aws:iam::000000000000:root"
    assert found["UserId"] == "000000000000"


def test_sts_says_what_it_cannot_do_yet(server):
    sts = clients.make(server, "sts")
    with pytest.raises(ClientError) as refused_:
        sts.get_federation_token(Name="ann")
    assert refused_.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 501)
    assert refused_.value.response["Error"]["Code"]
    bad = clients.make(server, "sts", keys=(server.credentials()[0], "wrong" * 8))
    with pytest.raises(ClientError) as refused_:
        bad.get_caller_identity()
    assert refused_.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


ROLE_KEYS = """
    import os
    def handler(event, context):
        return [os.environ[name] for name in
                ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN')]
"""


def test_a_function_has_keys_of_its_role(server, deploy, invoke):
    name = deploy(ROLE_KEYS)
    key, secret, token = invoke(name).json
    assert key.startswith("ASIA")
    sts = clients.make(server, "sts", keys=(key, secret), token=token)
    found = sts.get_caller_identity()
    assert found["Account"] == "000000000000"
    assert found["Arn"] == f"arn:aws:sts::000000000000:assumed-role/tester/{name}"
    assert re.fullmatch(rf"AROA\w+:{name}", found["UserId"])

    session = clients.make(server, keys=(key, secret), token=token)
    with pytest.raises(ClientError) as denied:
        session.list_functions()
    error = denied.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert error["Message"].startswith(
        f"User: arn:aws:sts::000000000000:assumed-role/tester/{name} is not authorized to "
        "perform: lambda:ListFunctions"
    )
    with pytest.raises(ClientError) as denied:
        session.invoke(FunctionName=name)
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"

    for spoiled in ((key, secret, token[:-4] + "AAAA"), (key, "x" * 40, token), (key, secret, None)):
        bad = clients.make(server, "sts", keys=spoiled[:2], token=spoiled[2])
        with pytest.raises(ClientError):
            bad.get_caller_identity()


def test_an_operator_can_let_roles_do_more(own_server):
    server = own_server('[functions]\nrole_actions = ["lambda:Invoke*"]').start()
    client = clients.make(server)
    functions.create(client, "keys", ROLE_KEYS)
    key, secret, token = json.loads(client.invoke(FunctionName="keys")["Payload"].read())
    session = clients.make(server, keys=(key, secret), token=token)
    assert session.invoke(FunctionName="keys")["StatusCode"] == 200
    with pytest.raises(ClientError) as denied:
        session.get_function(FunctionName="keys")
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"
    server.finish()


def test_regions_of_the_configuration_are_served_and_no_others(server):
    """Each has limits of its own, so that a caller cannot make up more."""
    path = "/2016-08-19/account-settings"
    status, _, body = signing.request(server, "GET", path, region="ap-east-1")
    assert status == 200, body
    assert "AccountLimit" in json.loads(body)
    status, headers, body = signing.request(server, "GET", path, region="ap-east-9")
    assert (status, headers["x-amzn-errortype"]) == (403, "InvalidSignatureException")
    assert "Credential should be scoped to a valid region." in json.loads(body)["message"]


def test_hostile_requests_are_answered(server):
    """Nothing here may take the server down, and each has a typed answer."""
    long = "/2015-03-31/functions/" + "a" * 20_000
    for target in ("//", "/%", "/%zz", "/2015-03-31/functions/%00", "/2015-03-31/functions/%2e%2e%2f",
                   long, "/?" + "&" * 5000, "/2015-03-31/functions/" + urllib.parse.quote("ä" * 500)):
        status, headers, body = signing.send(server, "GET", target, {})
        assert 400 <= status < 500, target
        assert body
    assert signing.request(server, "GET", PATH)[0] == 200
