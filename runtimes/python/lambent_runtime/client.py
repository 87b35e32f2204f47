"""The Runtime API over one kept-alive socket.

The standard HTTP client costs 20 ms to import, more than the interpreter's start, and several sends per request.
The Runtime API needs two requests, so they are written and read here by hand: one `sendall` per request, one `recv`
for an answer that fits the buffer.
"""
import _socket

RECEIVE_BYTES = 65536
NEXT = "/2018-06-01/runtime/invocation/next"
INVOCATION = "/2018-06-01/runtime/invocation/"
INIT_ERROR = "/2018-06-01/runtime/init/error"


class Client:
    """Not for more than one thread: the Runtime API has one conversation at a time."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self._peer = (host, int(port))
        self._socket = None
        self._next = ("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (NEXT, address)).encode()
        self._host = address

    def next(self):
        """Waits for an event. Returns its headers (names in lower case, all bytes) and its body."""
        status, headers, body = self._exchange(self._next)
        if status != 200:
            raise RuntimeError("Failed to get next: the Runtime API answered %d" % status)
        return headers, body

    def post(self, path, body, content_type, more=""):
        """Returns status and body. `more` is further header lines, each with its line end."""
        head = "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n" % (
            path,
            self._host,
            content_type,
            len(body),
            more,
        )
        status, _, answer = self._exchange(head.encode() + body)
        return status, answer

    def _exchange(self, request):
        kept = self._socket is not None
        try:
            return self._try(request)
        except ConnectionError:
            # A kept connection may have been closed while it was idle; a fresh one that breaks is an error.
            self._close()
            if not kept:
                raise
        return self._try(request)

    def _try(self, request):
        if self._socket is None:
            connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
            connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            connection.connect(self._peer)
            self._socket = connection
        self._socket.sendall(request)
        data = self._socket.recv(RECEIVE_BYTES)
        if not data:
            raise ConnectionResetError("the Runtime API closed the connection")
        while True:
            end = data.find(b"\r\n\r\n")
            while end < 0:
                data += self._more()
                end = data.find(b"\r\n\r\n")
            status = int(data[9:12])
            rest = data[end + 4 :]
            if status >= 200:
                break
            data = rest  # An interim answer; the real one follows.
        headers = {}
        for line in data[:end].split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        return status, headers, self._body(headers, rest)

    def _more(self):
        data = self._socket.recv(RECEIVE_BYTES)
        if not data:
            # Not to be tried again: the request was received.
            raise RuntimeError("the Runtime API closed the connection in the middle of an answer")
        return data

    def _body(self, headers, rest):
        length = headers.get(b"content-length")
        if length is not None:
            body = rest if len(rest) == int(length) else self._sized(rest, int(length))
        elif headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            body = self._chunked(rest)
        else:
            body = self._until_closed(rest)
        if headers.get(b"connection", b"").lower() == b"close":
            self._close()
        return body

    def _sized(self, rest, length):
        body = bytearray(length)
        body[: len(rest)] = rest
        have = len(rest)
        view = memoryview(body)
        while have < length:
            count = self._socket.recv_into(view[have:])
            if not count:
                raise RuntimeError("the Runtime API closed the connection in the middle of a body")
            have += count
        return bytes(body)

    def _chunked(self, rest):
        body = []
        while True:
            while (end := rest.find(b"\r\n")) < 0:
                rest += self._more()
            size = int(rest[:end].split(b";")[0], 16)
            rest = rest[end + 2 :]
            if size == 0:
                break
            while len(rest) < size + 2:
                rest += self._more()
            body.append(rest[:size])
            rest = rest[size + 2 :]
        rest = b"\r\n" + rest  # So that "no trailers" and "after the trailers" end alike.
        while b"\r\n\r\n" not in rest:
            rest += self._more()
        return b"".join(body)

    def _until_closed(self, rest):
        parts = [rest]
        while data := self._socket.recv(RECEIVE_BYTES):
            parts.append(data)
        self._close()
        return b"".join(parts)

    def _close(self):
        if self._socket is not None:
            self._socket.close()
            self._socket = None
