"""Requests signed by hand: for what no client would send, and to see answers as they are."""

import http.client
import urllib.parse

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION = "us-east-1"


def request(
    server, method, path, body=b"", headers=None, keys=None, region=REGION, service="lambda",
    change=None, query_expires=None,
):  # fmt: skip
    """Signs and sends; `change` may spoil the signed request. Status, headers (lower case), body."""
    target, headers = sign(
        server, method, path, body, headers, keys or server.credentials(), region, service, change,
        query_expires,
    )  # fmt: skip
    return send(server, method, target, headers, body)


def sign(
    server, method, path, body, headers, keys, region=REGION, service="lambda", change=None,
    query_expires=None,
):  # fmt: skip
    """Signs: what to ask for, and with which headers."""
    key, secret, *token = keys
    signed = AWSRequest(method=method, url=server.url + path, data=body, headers=headers or {})
    credentials = Credentials(key, secret, token[0] if token else None)
    if query_expires is None:
        SigV4Auth(credentials, service, region).add_auth(signed)
    else:
        SigV4QueryAuth(credentials, service, region, expires=query_expires).add_auth(signed)
    if change:
        change(signed)
    return signed.url[len(server.url) :], dict(signed.headers.items())


def send(server, method, target, headers, body=b""):
    """Sends as it is."""
    address = urllib.parse.urlparse(server.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    try:
        connection.request(method, target, body=body, headers=headers)
        answer = connection.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, names, answer.read()
    finally:
        connection.close()


def invoke(server, name, headers, body=b"{}", **arguments):
    """One signed Invoke."""
    path = f"/2015-03-31/functions/{urllib.parse.quote(name, safe='')}/invocations"
    return request(server, "POST", path, body, headers, **arguments)
