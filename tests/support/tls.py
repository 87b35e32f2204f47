"""A proxy that terminates TLS in front of a server, as operators put one there."""

import contextlib
import socket
import ssl
import subprocess
import threading


def certificate(folder, name="certificate"):
    """A key, and a certificate for localhost that is its own authority: their files."""
    key, made = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", key, "-out", made, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, made


@contextlib.contextmanager
def proxy(server, key, certificate):
    """Gives the URL of a proxy before the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = server.url.removeprefix("http://").rsplit(":", 1)

    def serve(client):
        with contextlib.suppress(OSError), context.wrap_socket(client, server_side=True) as inner:
            with socket.create_connection((host, int(port))) as outer:
                back = threading.Thread(target=carry, args=(outer, inner))
                back.start()
                carry(inner, outer)
                back.join()

    def accept():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"https://localhost:{listener.getsockname()[1]}"
    finally:
        listener.close()


def carry(source, sink):
    """Carries what comes from one end to the other until it ends."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_RDWR)
