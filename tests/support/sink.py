"""A listener outside of Lambent to whom functions tell, by themselves and at once, that they run.

What it was told it knows whatever happens to the server, its logs and its queues afterwards.
"""

import collections
import random
import socketserver
import threading

# Where a function finds this machine: its own gateway.
GATEWAY = """
    import socket, struct
    def gateway():
        for line in open('/proc/net/route'):
            _, destination, via = line.split()[:3]
            if destination == '00000000':
                return socket.inet_ntoa(struct.pack('<L', int(via, 16)))
"""
# A function that tells its event, a number, and ends well only if it was heard.
TELLS = f"""{GATEWAY}
    import os
    line = None
    def tell(event):
        global line
        line = line or socket.create_connection((gateway(), int(os.environ["SINK"])), timeout=10)
        line.sendall(b"%d\\n" % event)
        if line.recv(1) != b"+":
            raise OSError("not heard")
    def handler(event, context):
        global line
        try:
            tell(event)
        except OSError:
            # A line that was cut while the function was frozen.
            line = None
            tell(event)
"""


def nat(*ports):
    """A configuration in which functions reach these ports of this machine."""
    subnet = f"10.{2 * random.randrange(30, 120)}.0.0"
    return (
        f'[sandbox]\nnetwork = "nat"\n[sandbox.nat]\nsubnet = "{subnet}"\n'
        f"allow_host_ports = {list(ports)}\n"
    )


class Sink(socketserver.ThreadingTCPServer):
    """Counts how often each number was sent."""

    allow_reuse_address = True
    daemon_threads = True
    # Its users must not wait for frozen functions that have a line open.
    block_on_close = False
    request_queue_size = 256

    def __init__(self):
        super().__init__(("0.0.0.0", 0), _Line)
        self.port = self.server_address[1]
        self.told = collections.Counter()
        self.lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request, client_address):
        """A line that is cut off means a function that was killed."""


class _Line(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            if line.endswith(b"\n"):
                with self.server.lock:
                    self.server.told[int(line)] += 1
                self.wfile.write(b"+")
