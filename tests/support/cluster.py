"""A real cluster on this machine: NATS, a store of S3's protocol, and a process for each host of three zones."""

import concurrent.futures
import configparser
import os
import pathlib
import re
import signal
import subprocess
import tempfile

from . import leftovers
from .moto import Moto
from .nats import Nats, free_port
from .observed import Observed
from .server import ADMIN, HURRIED, SEVERAL, binary, runtimes_directory
from .started import started

READY_WITHIN = 60
ENDS_WITHIN = 60
READY = re.compile(rb"lambent ready(?: at (\S+))?")
BUCKET = "lambent"
FRONT = ["frontend", "event-invoke", "assignment", "counting", "identity"]
CENTRE = ["control", "placement", "identity"]


class Process(Observed):
    """A `lambent run` with the roles of one host."""

    def __init__(self, cluster, host, zone, roles):
        self.cluster, self.host, self.zone, self.roles = cluster, host, zone, roles
        self.root = cluster.root / host
        self.root.mkdir()
        self.data = self.root / "data"
        # What `cluster init` and `join` make.
        self.folder = self.root / "cluster"
        self.config = self.folder / "lambent.toml"
        self.log = self.root / "log"
        self.port = free_port()
        self.listen = f"127.0.0.1:{free_port()}"
        self.process = self.url = self._reader = None

    def start(self, wait=True):
        """Starts it; waits until it is ready, or leaves that to `ready`."""
        roles = ",".join(self.roles)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", binary(), "run",
                 "--roles", roles, "--zone", self.zone,
                 "--listen", self.listen, "--data-dir", str(self.data),
                 "--config", str(self.config)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                env=self.environment(), cwd=self.root,
            )  # fmt: skip
        if wait:
            self.ready()

    def command(self, *words, stdin=""):
        """Runs a command of this host's, and gives what it prints."""
        done = subprocess.run(
            [binary(), *map(str, words)], input=stdin, env=self.environment(), cwd=self.root,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def ready(self):
        """Waits until it is ready."""
        try:
            found, self._reader = started(
                self.process, self.process.stdout, READY, READY_WITHIN, self.host
            )
        except RuntimeError as error:
            raise RuntimeError(f"{error}; its log:\n{self.log_tail()}") from None
        self.url = found[1].decode() if found[1] else None

    def environment(self):
        """Nothing of ours names a setting by accident."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LAMBENT_", "AWS_"))}
        kept["LAMBENT_RUNTIMES_DIRECTORY"] = runtimes_directory()
        kept["LAMBENT_CLUSTER_DIRECTORY"] = str(self.folder)
        kept["LAMBENT_CLUSTER_LISTEN"] = f"127.0.0.1:{self.port}"
        if level := os.environ.get("LAMBENT_LOG"):
            kept["LAMBENT_LOG"] = level
        return kept

    def kill(self):
        """As a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._close()

    def stop(self):
        """Asks it to stop, and gives its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self):
        """Waits for its end, and gives its exit status."""
        status = self.process.wait(ENDS_WITHIN)
        self._close()
        return status

    def _close(self):
        if self._reader:
            self._reader.join()
        self.process.stdout.close()
        self.process = None


class Cluster:
    """Three zones, or fewer, each with a host that answers clients and one that runs functions; and one for all that has
    the control plane. Hosts become members as operators make them: by `lambent cluster init`, `token` and `join`."""

    def __init__(self, config="", zones="abc", nats=1):
        self._folder = tempfile.TemporaryDirectory(prefix=f"{leftovers.FOLDERS}{os.getpid()}-")
        self.root = pathlib.Path(self._folder.name)
        self.nats = Nats(self.root, nats)
        self.s3 = Moto()
        self.s3.client("s3").create_bucket(Bucket=BUCKET)
        self.processes = [Process(self, "centre", zones[0], CENTRE)]
        for zone in zones:
            self.processes.append(Process(self, f"front-{zone}", zone, FRONT))
            self.processes.append(Process(self, f"work-{zone}", zone, ["worker"]))
        self._settings = config

    def _configuration(self):
        """What all processes have in common."""
        config = self._settings
        fields = [config]
        fields.append("" if "[limits]" in config else HURRIED)
        fields.append("" if "[account]" in config else SEVERAL)
        fields.append("" if "[admin]" in config else ADMIN)
        seed = f"127.0.0.1:{self.processes[0].port}"
        port = self.processes[1].listen.rpartition(":")[2]
        fields.append(f"""
[urls]
domain = "localhost:{port}"

[worker]
memory_mb = 6000

[cluster]
seeds = ["{seed}"]
join = "127.0.0.1:{free_port()}"
{self.nats.settings()}
[cluster.s3]
endpoint = "{self.s3.url}"
bucket = "{BUCKET}"
access_key_id = "test"
secret_access_key = "test"
""")
        return "".join(fields)

    def found(self):
        """Makes the first host: `start` does it, if nobody has before."""
        first = self.processes[0]
        first.command("cluster", "init", first.folder, "--host", first.host, "--zone", first.zone,
                      "--roles", ",".join(first.roles))  # fmt: skip
        first.config.write_text(self._configuration())

    def add(self, process):
        """Makes a host a member: `token` where the stores are reached, `join` on the host itself."""
        first = self.processes[0]
        token = first.command("cluster", "token", "--host", process.host, "--zone", process.zone,
                              "--roles", ",".join(process.roles), "--config", first.config)  # fmt: skip
        process.command("cluster", "join", "-", process.folder, stdin=token.split()[-1])

    def start(self):
        """Starts all processes, and waits until all are ready."""
        try:
            if not self.processes[0].config.exists():
                self.found()
            self.processes[0].start()
            others = self.processes[1:]
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                list(pool.map(self.add, others))
            for process in others:
                process.start(wait=False)
            for process in others:
                process.ready()
        except BaseException:
            self.abandon()
            raise
        return self

    @property
    def url(self):
        """Of the first frontend."""
        return self.processes[1].url

    @property
    def urls(self):
        """Of all frontends."""
        return [process.url for process in self.processes if process.url]

    @property
    def listens(self):
        """Where all frontends are, whether they run or not."""
        return [f"http://{process.listen}" for process in self.processes if "frontend" in process.roles]

    @property
    def data(self):
        """Where the root access key is."""
        return self.processes[0].folder

    def admin_url(self):
        """Where the metrics of the first frontend are."""
        return self.processes[1].admin_url()

    def metrics(self):
        """All metrics of all processes."""
        return "".join(process.metrics() for process in self.processes if process.process)

    def pids(self):
        """The numbers of its processes."""
        return [process.process.pid for process in self.processes if process.process]

    def entries(self):
        """The lines of all logs, read."""
        return (entry for process in self.processes for entry in process.entries())

    def environment(self):
        """What commands are run with."""
        return self.processes[1].environment()

    def metric(self, name):
        """The sum of a metric that has no labels but a process's own, over all processes that have it."""
        return sum(process.metric(name) for process in self.processes if process.process)

    def credentials(self):
        """The root access key: id and secret."""
        parser = configparser.ConfigParser()
        parser.read(self.data / "credentials")
        section = parser["default"]
        return section["aws_access_key_id"], section["aws_secret_access_key"]

    def process(self, host):
        """By its host's name."""
        return next(process for process in self.processes if process.host == host)

    def stop(self):
        """Asks all to stop at once, and gives the exit status of each by its host."""
        running = [process for process in self.processes if process.process]
        for process in running:
            process.process.send_signal(signal.SIGTERM)
        return {process.host: process.ended() for process in running}

    def complaints(self):
        """The lines of all logs that an operator would have to look at."""
        return [
            f"{process.host}: {complaint}"
            for process in self.processes
            for complaint in process.complaints()
        ]

    def finish(self):
        """Stops it and makes sure that it leaves nothing behind."""
        # What they say about each other while all go is no fault.
        found = self.complaints()
        ended = self.stop()
        logs = "\n".join(process.log_tail() for process in self.processes if ended.get(process.host))
        left = [line for process in self.processes for line in leftovers.of(process.data)]
        self.abandon()
        assert not any(ended.values()), f"exit statuses {ended}; logs:\n{logs}"
        assert not left, f"left behind: {left}"
        assert not found, "unexpected in a log:\n" + "\n".join(found[:20])

    def abandon(self):
        """Ends everything anyhow."""
        for process in self.processes:
            if process.process:
                process.kill()
            if process.data.exists():
                leftovers.remove(process.data)
        self.nats.stop()
        self.s3.stop()
        self._folder.cleanup()
