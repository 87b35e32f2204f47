"""Function URLs: called as browsers and curl call them."""

import http.client
import urllib.parse

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION = "us-east-1"


class Response:
    """An answer, read."""

    def __init__(self, answer):
        self.status = answer.status
        # Names in lower case; of what comes twice, the last.
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self.all = [(name.lower(), value) for name, value in answer.getheaders()]
        self.body = answer.read()

    @property
    def text(self):
        return self.body.decode()


def connect(server, timeout=60):
    """A connection to the server, whatever the URL's host."""
    address = urllib.parse.urlparse(server.url)
    return http.client.HTTPConnection(address.hostname, address.port, timeout=timeout)


def call(server, url, path="", method="GET", body=None, headers=None):
    """Calls a URL by its host name, without asking any DNS."""
    connection = connect(server)
    try:
        target = (urllib.parse.urlparse(url).path.rstrip("/") + "/" + path.lstrip("/"))
        headers = {"Host": urllib.parse.urlparse(url).netloc, **(headers or {})}
        connection.request(method, target, body=body, headers=headers)
        return Response(connection.getresponse())
    finally:
        connection.close()


def signed(server, url, path="", method="GET", body=b"", headers=None, keys=None, region=REGION,
           expires=None, service="lambda", change=None):  # fmt: skip
    """Calls a URL with a signature, in the headers or in the query."""
    key, secret, *token = keys or server.credentials()
    request = AWSRequest(method=method, url=url + path.lstrip("/"), data=body, headers=headers or {})
    credentials = Credentials(key, secret, token[0] if token else None)
    if expires is None:
        SigV4Auth(credentials, service, region).add_auth(request)
    else:
        SigV4QueryAuth(credentials, service, region, expires=expires).add_auth(request)
    if change:
        change(request)
    parsed = urllib.parse.urlparse(request.url)
    target = parsed.path + (f"?{parsed.query}" if parsed.query else "")
    connection = connect(server)
    try:
        sent = {"Host": parsed.netloc, **dict(request.headers.items())}
        connection.request(method, target, body=body, headers=sent)
        return Response(connection.getresponse())
    finally:
        connection.close()
