"""The platform's side of the Runtime API, as small as a test needs it.

Serves what a test enqueues, answers as Lambda does, and records every request in order: method, path,
headers, body and trailers, byte for byte. It knows nothing of functions or of time limits.
"""

import queue
import socket
import threading
import time
from dataclasses import dataclass, field

PREFIX = "/2018-06-01/runtime/"
# Lambda's limit for a buffered response: 6 MiB and 100 bytes.
RESPONSE_BYTES_MAX = 6 * 1024 * 1024 + 100


@dataclass
class Event:
    """One invoke to hand out."""

    body: bytes
    request_id: str
    headers: dict = field(default_factory=dict)


@dataclass
class Request:
    """One request as it came in. Header names are in lower case, equal ones are joined."""

    method: str
    path: str
    headers: dict
    body: bytes
    trailers: dict


class Closed(Exception):
    """The other side went away, or the server is stopping."""


class RuntimeApi:
    """Listens on a free port of the loopback until `close`.

    `manner` is how it answers: "plain"; "pieces", in many small writes; "chunked"; "closing", which says so and closes
    after each answer; "silent", which closes without having said so.
    """

    def __init__(self, manner="plain"):
        self._manner = manner
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._events = queue.Queue()
        self._changed = threading.Condition()
        self._connections = set()
        self._closed = False
        self.requests = []
        """Everything but waiting `next` calls, in order of arrival."""
        self.waiting = 0
        """How many `next` calls have arrived so far."""
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def close(self):
        self._closed = True
        # Closing alone does not end `accept`, and its thread would continue with whatever gets the number of the file next.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        with self._changed:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # Already gone.
        self._events.put(None)

    def send(self, event):
        self._events.put(event)

    def wait(self, condition, deadline_s, alive=lambda: True):
        """Waits until `condition()` holds; False if time ran out or `alive()` became false before."""
        end = time.monotonic() + deadline_s
        with self._changed:
            while not condition():
                living = alive()
                if condition():
                    return True
                left = end - time.monotonic()
                if left <= 0 or not living:
                    return False
                self._changed.wait(min(left, 0.05))
        return True

    # ---- serving -------------------------------------------------------------------------------

    def _accept(self):
        while not self._closed:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        stream = connection.makefile("rb")
        try:
            while not self._closed:
                self._answer(connection, read_request(stream))
                if self._manner in ("closing", "silent"):
                    return
        except (Closed, OSError):
            pass
        finally:
            with self._changed:
                self._connections.discard(connection)
            stream.close()
            connection.close()

    def _answer(self, connection, request):
        path = request.path.removeprefix(PREFIX)
        if request.method == "GET" and path == "invocation/next":
            with self._changed:
                self.waiting += 1
                self._changed.notify_all()
            event = self._events.get()
            if event is None:
                raise Closed
            headers = {"Content-Type": "application/json", **event.headers}
            headers["Lambda-Runtime-Aws-Request-Id"] = event.request_id
            respond(connection, 200, event.body, headers, self._manner)
            return
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
        if path.endswith("/response") and len(request.body) > RESPONSE_BYTES_MAX:
            respond(connection, 413, b'{"errorMessage":"too large","errorType":"RequestEntityTooLarge"}')
        else:
            respond(connection, 202, b'{"status":"OK"}\n', None, self._manner)


def respond(connection, status, body, headers=None, manner="plain"):
    headers = {"Content-Type": "application/json", **(headers or {})}
    if manner == "chunked":
        headers["Transfer-Encoding"] = "chunked"
        half = len(body) // 2
        chunks = [chunk for chunk in (body[:half], body[half:]) if chunk]
        body = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nTrailer: x\r\n\r\n"
    else:
        headers["Content-Length"] = str(len(body))
    if manner == "closing":
        headers["Connection"] = "close"
    lines = ["HTTP/1.1 %d X" % status] + ["%s: %s" % pair for pair in headers.items() if pair[1] is not None]
    data = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    if manner != "pieces":
        connection.sendall(data)
        return
    # Cut everywhere near the end of the headers, and once in the body.
    middle = data.index(b"\r\n\r\n")
    cuts = [0, 5, *range(middle - 2, middle + 6), (middle + len(data)) // 2, len(data)]
    for start, end in zip(cuts, cuts[1:]):
        connection.sendall(data[start:end])
        time.sleep(0.002)


def read_line(stream):
    line = stream.readline(2 * 1024 * 1024)
    if not line.endswith(b"\n"):
        raise Closed
    return line.rstrip(b"\r\n").decode("latin-1")


def read_headers(stream):
    headers = {}
    while line := read_line(stream):
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        headers[name] = headers[name] + ", " + value if name in headers else value
    return headers


def read_exactly(stream, size):
    data = stream.read(size)
    if len(data) != size:
        raise Closed
    return data


def read_request(stream):
    method, path, _ = read_line(stream).split(" ", 2)
    headers = read_headers(stream)
    trailers = {}
    body = b""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        chunks = []
        while size := int(read_line(stream).split(";")[0], 16):
            chunks.append(read_exactly(stream, size))
            read_line(stream)
        trailers = read_headers(stream)
        body = b"".join(chunks)
    elif "content-length" in headers:
        body = read_exactly(stream, int(headers["content-length"]))
    return Request(method, path, headers, body, trailers)
