"""Starts a cluster, has `lambent-bench` measure it, and measures how long a change takes to every frontend."""

import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests"))

from support import clients, functions
from support.cluster import Cluster

CHANGES = 100
SETTINGS = """
[account]
concurrency = 100000
"""


class At:
    """One frontend."""

    def __init__(self, cluster, url):
        self.url, self.credentials = url, cluster.credentials


def changes(cluster):
    """How long after the answer to a change of an alias every frontend invokes the other version, in milliseconds."""
    frontends = [clients.make(At(cluster, url)) for url in cluster.urls]
    first = frontends[0]
    functions.create(first, "changed", "def handler(event, context):\n    return None\n")
    first.publish_version(FunctionName="changed")
    package, _ = functions.source_package("python3.12", "def handler(event, context):\n    return 1\n")
    first.update_function_code(FunctionName="changed", ZipFile=package)
    functions.until_updated(first, "changed")
    first.publish_version(FunctionName="changed")
    first.create_alias(FunctionName="changed", Name="a", FunctionVersion="1")
    took = []
    for number in range(CHANGES):
        version = str(2 - number % 2)
        first.update_alias(FunctionName="changed", Name="a", FunctionVersion=version)
        began = time.monotonic()
        for frontend in frontends:
            while frontend.invoke(FunctionName="changed:a")["ExecutedVersion"] != version:
                pass
        took.append((time.monotonic() - began) * 1_000)
    return sorted(took)


def main():
    """Prints Markdown."""
    cluster = Cluster(SETTINGS, nats=3).start()
    try:
        # The server that it starts takes variables of ours for settings.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LAMBENT_")}
        environment["BENCH_ADDRESS"] = cluster.url.removeprefix("http://")
        environment["BENCH_CREDENTIALS"] = str(cluster.data)
        server, runtimes = os.environ["LAMBENT_BINARY"], os.environ["LAMBENT_RUNTIMES_DIRECTORY"]
        subprocess.run([sys.argv[1], server, runtimes, "cluster"], check=True, env=environment)
        took = changes(cluster)
        print(f"\n## {CHANGES} changes of an alias, until all three frontends invoke by it\n")
        print(f"p50 {statistics.median(took):.1f} ms, p99 {took[-2]:.1f} ms, longest {took[-1]:.1f} ms")
    finally:
        cluster.abandon()


if __name__ == "__main__":
    main()
