"""Accepted means never lost: the server is killed again and again while it takes and invokes events.

A function tells a listener outside of the server each event that it runs for. `LAMBENT_KILL_EVENTS`
and `LAMBENT_KILLS` make it large; the figures are printed.
"""

import http.client
import itertools
import os
import threading
import time
import urllib.parse

from support import clients, functions, signing, sink
from support.server import wait_for

EVENTS = int(os.environ.get("LAMBENT_KILL_EVENTS", 2_000))
KILLS = int(os.environ.get("LAMBENT_KILLS", 2))
SENDERS = 8
# What an event may wait for, seconds: the lease of a poller that was killed and the time for which what it
# had received is hidden; and, where a run fails on a busy machine (an init that is not done in ten seconds,
# a listener that does not answer), AWS's waits before its two retries.
LEASE, HIDDEN, RETRIES = 10, 15, 60 + 120
# A debug build on a busy machine runs some hundred events a second; fifty must do.
WITHIN = LEASE + HIDDEN + RETRIES + EVENTS / 50
PATH = "/2015-03-31/functions/tells/invocations"


class Load:
    """Clients that send events until enough are acknowledged. One whose acknowledgement did not
    come is not sent again: it may be invoked or not."""

    def __init__(self, server, wanted):
        self.server, self.wanted = server, wanted
        self.keys = server.credentials()
        self.numbers = itertools.count()
        self.acknowledged = set()
        self.unknown = 0
        self.refused = 0
        self.threads = [threading.Thread(target=self.send) for _ in range(SENDERS)]

    def done(self):
        return len(self.acknowledged) >= self.wanted

    def send(self):
        connection = None
        deadline = time.monotonic() + WITHIN
        while not self.done() and time.monotonic() < deadline:
            try:
                connection = connection or self.connect()
            except OSError:
                time.sleep(0.05)
                continue
            number = next(self.numbers)
            try:
                status = self.one(connection, number)
            except (OSError, http.client.HTTPException):
                self.unknown += 1
                connection = None
                continue
            if status == 202:
                self.acknowledged.add(number)
            else:
                self.refused += 1
                time.sleep(0.05)

    def connect(self):
        address = urllib.parse.urlparse(self.server.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
        connection.connect()
        return connection

    def one(self, connection, number):
        body = b"%d" % number
        headers = {"X-Amz-Invocation-Type": "Event"}
        target, headers = signing.sign(self.server, "POST", PATH, body, headers, self.keys)
        connection.request("POST", target, body=body, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def settled(server):
    """Whether no event is in a queue any more."""
    names = ("waiting", "hidden")
    kinds = ("shared", "function")
    return not any(
        server.metric(f'lambent_event_invoke_queue_events_{name}{{kind="{kind}"}}')
        for name in names
        for kind in kinds
    )


def test_every_accepted_event_is_invoked_though_the_server_is_killed(own_server, capsys):
    with sink.Sink() as told:
        server = own_server(sink.nat(told.port)).start()
        client = clients.make(server)
        functions.create(
            client, "tells", sink.TELLS, Timeout=60,
            Environment={"Variables": {"SINK": str(told.port)}},
        )  # fmt: skip
        began = time.monotonic()
        load = Load(server, EVENTS)
        for thread in load.threads:
            thread.start()
        backlogs = []

        def kill():
            server.kill()
            backlogs.append(len(load.acknowledged) - len(told.told))
            server.start()

        for done in range(1, KILLS):
            wait_for(lambda: len(load.acknowledged) >= EVENTS * done / KILLS, within=WITHIN)
            kill()
        for thread in load.threads:
            thread.join()
        accepted_s = time.monotonic() - began
        assert load.done(), f"only {len(load.acknowledged)} were acknowledged"
        # The last one hits a server that does nothing but invoke.
        kill()
        deadline = time.monotonic() + WITHIN
        while load.acknowledged - told.told.keys() and time.monotonic() < deadline:
            time.sleep(0.2)
        invoked_s = time.monotonic() - began
        # What was invoked twice may still be on its way the second time. And what is still in a queue is
        # late, not lost.
        wait_for(lambda: settled(server), within=WITHIN, every=0.2)
        lost = len(load.acknowledged - told.told.keys())
        twice = sum(told.told[number] - 1 for number in load.acknowledged & told.told.keys())
        with capsys.disabled():
            print(
                f"\n{len(load.acknowledged)} events accepted in {accepted_s:.1f} s with {KILLS} kills,"
                f" all invoked after {invoked_s:.1f} s: lost {lost}, duplicates {twice};"
                f" backlog at the kills {backlogs}; sent without an answer {load.unknown},"
                f" of these invoked {len(told.told.keys() - load.acknowledged)}; refused {load.refused}"
            )
        assert lost == 0
        server.finish()
