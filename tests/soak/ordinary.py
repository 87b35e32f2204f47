"""The ordinary account: invokes at a steady pace, and how long each took.

A process of its own, so that nothing of the tests' is measured: `python -m soak.ordinary`, told by a
line of JSON on its standard input, answers with one on its standard output.
"""

import http.client
import json
import subprocess
import sys
import threading
import time
import types
import urllib.parse

from support import signing

from soak import priority

INVOKES_A_SECOND = 40
CONNECTIONS = 4
# One in this many is an asynchronous invoke.
EVENT_EVERY = 10


def start(server, keys, name, seconds):
    """Starts it for a function; `finish` gives its result."""
    process = subprocess.Popen(
        [sys.executable, "-m", "soak.ordinary"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    json.dump({"url": server.url, "keys": keys, "name": name, "seconds": seconds}, process.stdin)
    process.stdin.close()
    return process


def finish(process):
    """What it measured: `{latencies: [seconds], errors: [text]}`."""
    output = process.stdout.read()
    process.wait()
    process.stdout.close()
    return json.loads(output)


class Client:
    """One connection that invokes at its share of the pace."""

    def __init__(self, told, number):
        self.server = types.SimpleNamespace(url=told["url"])
        self.address = urllib.parse.urlsplit(told["url"]).netloc
        self.keys = told["keys"]
        self.path = f"/2015-03-31/functions/{told['name']}/invocations"
        self.until = time.monotonic() + told["seconds"]
        self.number = number
        self.latencies, self.errors = [], []
        self.connection = None

    def run(self):
        gap = CONNECTIONS / INVOKES_A_SECOND
        due = time.monotonic() + gap * self.number / CONNECTIONS
        count = 0
        while due < self.until:
            time.sleep(max(0, due - time.monotonic()))
            due = max(due + gap, time.monotonic())
            count += 1
            try:
                self.one(event=count % EVENT_EVERY == 0)
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(repr(error))
                self.connection = None

    def one(self, event):
        body = b'{"n": 1}'
        headers = {"X-Amz-Invocation-Type": "Event" if event else "RequestResponse"}
        target, headers = signing.sign(self.server, "POST", self.path, body, headers, self.keys)
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.address, timeout=30)
            self.connection.connect()
        began = time.perf_counter()
        self.connection.request("POST", target, body=body, headers=headers)
        answer = self.connection.getresponse()
        content = answer.read()
        took = time.perf_counter() - began
        wanted = (202, b"") if event else (200, body)
        if (answer.status, content) != wanted or answer.getheader("x-amz-function-error"):
            self.errors.append(f"{answer.status} {content[:200]!r}")
        elif not event:
            self.latencies.append(took)


def main():
    priority.own(-20)
    told = json.load(sys.stdin)
    clients = [Client(told, number) for number in range(CONNECTIONS)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump({
        "latencies": [one for client in clients for one in client.latencies],
        "errors": [one for client in clients for one in client.errors],
    }, sys.stdout)  # fmt: skip


if __name__ == "__main__":
    main()
