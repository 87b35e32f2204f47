"""What the asynchronous plane counts, against what really happened."""

import contextlib
import sqlite3
import urllib.request

from support import clients, events, functions
from support.mailboxes import Queue
from support.server import wait_for

PREFIX = "lambent_event_invoke_"


def metrics(server):
    """All of the plane's, by name and labels; what was never counted is missing."""
    with urllib.request.urlopen(f"{server.admin_url()}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.removeprefix(PREFIX).rsplit(" ", 1) for line in lines if line.startswith(PREFIX))
    return {name: float(value) for name, value in pairs}


def in_queues(found, what):
    """A gauge over the queues that are worked on."""
    return [found.get(f'queue_{what}{{kind="{kind}"}}', 0) for kind in ("shared", "function")]


def make_old(server, seconds):
    """Moves all that waits into the past, while the server is down."""
    with contextlib.closing(sqlite3.connect(server.data / "queues.db")) as db, db:
        for number, body in db.execute("SELECT id, body FROM messages").fetchall():
            head, payload = body.split(b"\n", 1)
            accepted = int(head.split(b'"accepted":')[1].split(b",")[0].split(b"}")[0])
            old = b'"accepted":%d' % (accepted - seconds * 1000)
            head = head.replace(b'"accepted":%d' % accepted, old)
            db.execute(
                "UPDATE messages SET visible_from = 0, body = ? WHERE id = ?",
                (head + b"\n" + payload, number),
            )


def test_every_metric_tells_what_happened(own_server, peer):
    # One event of a function at a time: the others can be seen to wait.
    server = own_server(
        f'[aws]\nendpoint_url = "{peer.url}"\n[events]\nconcurrency = 2\n'
    ).start()
    client = clients.make(server)
    box = Queue(peer.client("sqs"))
    letters = {"DeadLetterConfig": {"TargetArn": box.arn}}
    for name, settings in (("told", {}), ("lettered", letters), ("late", {}), ("gone", {})):
        functions.create(client, name, events.DOES, Timeout=30, **settings)
    events.destined(client, "told", success=box.arn)
    events.destined(client, "lettered")
    events.destined(client, "gone")

    for sleep in (3, 0, 0):
        events.send(client, "told", {"sleep": sleep})
    # While the first one runs, the others wait.
    wait_for(lambda: max(in_queues(metrics(server), "oldest_seconds")) >= 1)
    found = metrics(server)
    assert sum(in_queues(found, "events_waiting")) + sum(in_queues(found, "events_hidden")) == 3
    assert sum(in_queues(found, "events_waiting")) >= 1
    assert found["events_moved_total"] >= 1
    wait_for(lambda: metrics(server)["records_delivered_total"] == 3, 30)

    for _ in range(2):
        events.send(client, "lettered", {"fail": True})
    wait_for(lambda: metrics(server)["events_dead_lettered_total"] == 2, 30)
    events.send(client, "gone", {"fail": True})
    wait_for(lambda: metrics(server).get('events_dropped_total{reason="retries"}') == 1, 30)
    events.send(client, "late", {"fail": True})
    wait_for(lambda: metrics(server)["events_retried_total"] == 1, 30)
    wait_for(lambda: sum(in_queues(metrics(server), "events_hidden")) == 1)
    wait_for(lambda: metrics(server).get('queue_events_waiting{kind="failed"}') == 1, 30)

    found = metrics(server)
    counted = {
        "events_accepted": 7, "events_refused": 0, "invokes": 7, "invokes_failed": 4,
        "invokes_throttled": 0, "events_retried": 1, "records_delivered": 3,
        "events_dead_lettered": 2, "destination_delivery_failures": 0, "dead_letter_errors": 0,
        "events_recursive": 0, "events_unreadable": 0,
    }  # fmt: skip
    assert {name: found[f"{name}_total"] for name in counted} == counted
    assert found["event_age_seconds_count"] == 7
    assert in_queues(found, "events_waiting") == [0, 0]
    assert max(in_queues(found, "oldest_seconds")) == 0
    assert found['queues{kind="failed"}'] == 1 and found['queues{kind="shared"}'] >= 1

    # What waits for its second try is too old when the server is back.
    assert server.terminate()[0] == 0
    make_old(server, 6 * 3600)
    server.start()
    wait_for(lambda: metrics(server).get('events_dropped_total{reason="age"}') == 1, 30)
    assert metrics(server)["invokes_total"] == 0
    server.finish()
