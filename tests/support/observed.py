"""What a process of Lambent's shows to its operator: its log, and its metrics."""

import json
import urllib.error
import urllib.request

# Warnings that tests provoke on purpose. Any other WARN or ERROR line of the server fails the run.
EXPECTED_WARNINGS = (
    "a file system cannot be shown to a function",
    "a spawner of sandboxes has ended",
    "a killed sandbox does not end",
    "sandboxes do not end",
    "cgroup folders remain",
    "no environment for an invoke",
    "an environment for provisioned concurrency could not be created",
)


class Observed:
    """A process whose log is the file `log`."""

    log = None

    def log_tail(self):
        """The last of its log, for a person who looks at a failure."""
        return self.log.read_text(errors="replace")[-4000:]

    def entries(self):
        """The lines of its log, read. A line that is not JSON comes as its text."""
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                yield line

    def complaints(self):
        """The lines of its log that an operator would have to look at."""
        found = []
        for entry in self.entries():
            if isinstance(entry, str):
                found.append(entry)
                continue
            message = entry.get("message", "")
            bad = entry.get("level") in ("WARN", "ERROR")
            if bad and not any(message.startswith(start) for start in EXPECTED_WARNINGS):
                found.append(json.dumps(entry))
        return found

    def admin_url(self):
        """Where metrics are; the port is free, so the log tells it."""
        told = [e["address"] for e in self.entries()
                if isinstance(e, dict) and e.get("message") == "metrics are served"]
        return f"http://{told[-1]}"

    def health(self):
        """What the admin address says of the server: status and text."""
        try:
            with urllib.request.urlopen(f"{self.admin_url()}/health", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def metrics(self):
        """All its metrics, as Prometheus gets them."""
        with urllib.request.urlopen(f"{self.admin_url()}/metrics", timeout=5) as answer:
            return answer.read().decode()

    def metric(self, name):
        """The value of a metric, named with all its labels or with none; 0 if there is none of that name."""
        named = (line.rpartition(" ") for line in self.metrics().splitlines())
        return sum(float(value) for key, _, value in named if name in (key, key.partition("{")[0]))
