"""The soak: `tests/run`'s Python, in `tests`: `python -m soak SECONDS`; needs root and `nft`.

    alone      the ordinary account invokes, nobody else is there
    beside     the hostile account does all of `attacks` at once, the ordinary one goes on
    after      the hostile account has deleted what it made: what the server has of the machine
               returns to what it was

It happens in a network namespace of its own, whose way out leads nowhere. Prints one line of JSON.
All clients stand for other machines: hostile ones have the lowest priority and take nothing of this one's
processors, the ordinary one has the highest, so that it measures the server and not itself. What looks at the
server meanwhile has the lowest as well.
"""

import json
import multiprocessing
import os
import subprocess
import sys
import time

from support import clients, functions
from support.server import Server

from soak import attacks, ordinary, priority, usage

HOSTILE = ("AKIATESTSOFAHOSTILEAC", "secret-of-the-hostile-account")
# The machine's own limits, small, so that each is met.
CONFIG = f"""
[[access_keys]]
id = "{HOSTILE[0]}"
secret = "{HOSTILE[1]}"
account = "222222222222"

[account]
concurrency = 200

[functions]
unused_packages_seconds = 5

[worker]
memory_mb = 4096

[requests]
memory_mb = 192

[events]
stored_mb_max = 256

[sandbox]
network = "nat"

[assignment]
idle_seconds = 30

[logs]
total_mb_max = 64
group_mb_max = 16

[limits]
get_function_per_second = 100000
control_plane_per_second = 100
"""
ECHO = "def handler(event, context):\n    return event\n"
QUIET_WITHIN_S = 120


def own_network():
    """Continues in a network namespace with a loopback and a route that leads nowhere."""
    if os.environ.get("LAMBENT_SOAK_NETWORK") != "own":
        environment = {**os.environ, "LAMBENT_SOAK_NETWORK": "own"}
        command = ["unshare", "--net", "--", sys.executable, "-m", "soak", *sys.argv[1:]]
        os.execvpe(command[0], command, environment)
    for line in (
        "link set lo up",
        "link add nowhere type veth peer name sink",
        "link set nowhere arp off",
        "link set sink up",
        "address add 198.51.100.1/24 dev nowhere",
        "link set nowhere up",
        "route add default dev nowhere",
    ):
        subprocess.run(["ip", *line.split()], check=True)


def hostile(server, pipe):
    """The process of the hostile account: attacks until told to stop, then cleans up."""
    priority.own(19)
    account = attacks.Account(server, HOSTILE, clients.make)
    hostility = attacks.Hostility(account)
    hostility.start()
    pipe.send("begun")
    pipe.recv()
    done = hostility.end()
    account.clean()
    pipe.send(done)


def watch(server, pipe):
    """The process that measures what the server uses of the machine, until told to stop: the maximum of each."""
    priority.own(19)
    worst = {}
    while not pipe.poll(2):
        for what, number in usage.of(server).items():
            worst[what] = max(worst.get(what, 0), number)
    pipe.send(worst)


def beside(target, server):
    """Starts a process that runs `target(server, pipe)`: the process and our end of the pipe."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=target, args=(server, there))
    process.start()
    # Should it fail, its end of the pipe is the last one.
    there.close()
    return process, here


def told(process, pipe):
    """Tells such a process to stop: its last word."""
    pipe.send("stop")
    word = pipe.recv()
    process.join()
    return word


def percentiles(latencies):
    """p50, p99, p99.9 and the longest, in milliseconds."""
    ordered = sorted(latencies)
    at = {"p50": 0.5, "p99": 0.99, "p99_9": 0.999, "max": 1.0}
    return {
        name: round(ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000, 3)
        for name, share in at.items()
    }


def quiet(server, before):
    """Waits until the server has of the machine what it had: what it has more of, at last."""
    deadline = time.monotonic() + QUIET_WITHIN_S
    while True:
        after = usage.of(server)
        more = usage.more(before, after)
        if not more or time.monotonic() > deadline:
            return after, more
        time.sleep(1)


def soak(server, seconds):
    """The whole of it: everything that was seen."""
    client = clients.make(server)
    functions.create(client, "echo", ECHO, MemorySize=1769)
    keys = server.credentials()
    warm = ordinary.finish(ordinary.start(server, keys, "echo", 3))
    assert not warm["errors"], warm["errors"][:3]
    before = usage.of(server)
    alone = ordinary.finish(ordinary.start(server, keys, "echo", max(5, min(120, seconds / 5))))

    enemy = beside(hostile, server)
    assert enemy[1].recv() == "begun"
    watcher = beside(watch, server)
    # Its answer is larger than a pipe: it ends only once somebody reads.
    neighbour = ordinary.finish(ordinary.start(server, keys, "echo", seconds))
    worst = told(*watcher)
    done = told(*enemy)
    after, more = quiet(server, before)
    return {
        "seconds": seconds,
        "alone": percentiles(alone["latencies"]),
        "beside": percentiles(neighbour["latencies"]),
        "invokes": len(neighbour["latencies"]),
        "errors": (alone["errors"] + neighbour["errors"])[:20],
        "attacks": done,
        "before": before,
        "worst": worst,
        "after": after,
        "more": more,
    }


def main():
    own_network()
    server = Server(CONFIG).start()
    try:
        result = soak(server, float(sys.argv[1]))
        began = time.monotonic()
        status, _ = server.terminate()
        result["end"] = {"status": status, "seconds": round(time.monotonic() - began, 1)}
        print(json.dumps(result))
    finally:
        server.abandon()


if __name__ == "__main__":
    main()
