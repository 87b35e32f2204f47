"""HTTP by hand: connections from addresses of choice, and heads that no client would write."""

import contextlib
import http.client
import pathlib
import socket
import urllib.parse

from . import signing


def connect(server, source="127.0.0.1", timeout=20):
    """A socket to the server. Every address of 127.0.0.0/8 is one of this machine's."""
    address = urllib.parse.urlparse(server.url)
    return socket.create_connection(
        (address.hostname, address.port), timeout=timeout, source_address=(source, 0)
    )


def exchange(server, sent):
    """Sends bytes; the answer's status and body, or None if there was none."""
    with connect(server) as stream:
        stream.sendall(sent)
        answer = http.client.HTTPResponse(stream)
        try:
            answer.begin()
            return answer.status, answer.read()
        except (http.client.HTTPException, ConnectionError):
            return None


def head(line, headers):
    """A head with these lines."""
    lines = [line, *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def upload(server, path, length, keys, sent=0, source="127.0.0.1"):
    """Begins a signed POST of `length` bytes and sends the first of them; the open connection."""
    _, headers = signing.sign(server, "POST", path, b"", {"Content-Length": str(length)}, keys)
    stream = connect(server, source)
    named = [("Host", urllib.parse.urlparse(server.url).netloc), *headers.items()]
    stream.sendall(head(f"POST {path} HTTP/1.1", named))
    with contextlib.suppress(ConnectionError):
        stream.sendall(b"x" * sent)
    return stream


def resident_mb(server):
    """The memory of a server, MB: of the largest of its processes."""

    def resident(pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024

    return max(resident(pid) for pid in server.pids())

