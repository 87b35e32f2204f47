"""See `run`. Each figure is the median of rounds in which all take turns, so that a busy machine is unfair to all alike."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from harness import ARN, Runtime, start
from runtime_api import Event, RuntimeApi

WORK = Path(os.environ["LAMBENT_MEASURE"])
FUNCTIONS = Path(__file__).parent.parent / "tests/functions"
EVENT = b'{"key1":"value1","key2":"value2","key3":"value3"}'
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 25
INVOKES = 3000
JAVA = ["/usr/bin/java", "-XX:MaxHeapSize=108m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto"]
# language: version, task, handler, what the bare interpreter's costs are shown by
LANGUAGES = {
    "python": ("3", FUNCTIONS / "python", "bare_echo.handler", ["/usr/bin/python3", "-c", "pass"]),
    "nodejs": ("20", FUNCTIONS / "nodejs", "index.echo", ["/usr/bin/node", "-e", "0"]),
    "java": ("17", WORK / "java", "example.Functions::same", [*JAVA, "-cp", WORK / "java", "Empty"]),
}


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def bound(name, task):
    """Puts the runtime and the function where they are in a sandbox."""
    for folder in ("/var/runtime", "/var/task"):
        while os.path.ismount(folder):
            subprocess.run(["umount", folder], check=True)
    mount("--bind", str((WORK / "built" / name).resolve()), "/var/runtime")
    mount("--bind", str(task), "/var/task")


def begin(version, handler, api):
    runtime = Runtime(Path("/var/runtime"), version)
    return start(runtime, api, Path("/var/task"), handler, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def start_ms(version, handler):
    """From the fork to the first request for an event, and to the first response."""
    api = RuntimeApi()
    api.send(Event(EVENT, "r", {"Lambda-Runtime-Deadline-Ms": "1", "Lambda-Runtime-Invoked-Function-Arn": ARN}))
    before = time.perf_counter()
    process = begin(version, handler, api)
    times = []
    for condition in (lambda: api.waiting, lambda: api.requests):
        while not condition():
            assert process.poll() is None, "the runtime ended"
            time.sleep(0.0001)
        times.append((time.perf_counter() - before) * 1000)
    process.kill()
    process.wait()
    api.close()
    return times


def bare_ms(command):
    before = time.perf_counter()
    subprocess.run(command, env={"PATH": "/usr/bin:/bin", "LANG": "en_US.UTF-8"}, check=True)
    return (time.perf_counter() - before) * 1000


def warm(version, handler):
    """CPU time of the runtime's process per invoke in us, its memory in MB."""
    api = RuntimeApi()
    process = begin(version, handler, api)

    def invoke(count):
        wanted = len(api.requests) + count
        for number in range(count):
            headers = {
                "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 3000),
                "Lambda-Runtime-Invoked-Function-Arn": ARN,
                "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-%024x;Parent=9a9197af755a6419;Sampled=1" % number,
            }
            api.send(Event(EVENT, "8476a536-e9f4-11e8-9739-%012d" % number, headers))
        assert api.wait(lambda: len(api.requests) >= wanted, 120)

    def cpu_us():
        tasks = Path("/proc/%d/task" % process.pid)
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1000

    invoke(1000)
    before = cpu_us()
    invoke(INVOKES)
    used = (cpu_us() - before) / INVOKES
    rss_mb = int(Path("/proc/%d/statm" % process.pid).read_text().split()[1]) * 4096 / 1e6
    process.kill()
    process.wait()
    api.close()
    return used, rss_mb


def main():
    mount("--make-rprivate", "/")
    mount("-t", "tmpfs", "tmpfs", "/var")
    os.makedirs("/var/runtime")
    os.makedirs("/var/task")
    print("machine: %d cores, load %.1f, %s" % (os.cpu_count(), os.getloadavg()[0], time.strftime("%Y-%m-%d", time.gmtime())))
    print("medians of %d starts (least in brackets); %d invokes of an echo" % (ROUNDS, INVOKES))
    print("| | to the first `next`, ms | to the first response, ms | CPU per invoke, us | memory, MB |")
    print("|---|---|---|---|---|")
    for language, (version, task, handler, bare) in LANGUAGES.items():
        starts = {language: [], language + "-ric": [], "bare": []}
        for _ in range(ROUNDS):
            for name in (language, language + "-ric"):
                bound(name, task)
                starts[name].append(start_ms(version, handler))
            starts["bare"].append((bare_ms(bare),))
        print("| bare %s, start and end | %s | | | |" % (language, shown([times[0] for times in starts["bare"]])))
        for name, label in ((language, "ours"), (language + "-ric", "AWS's")):
            bound(name, task)
            used, rss_mb = warm(version, handler)
            row = (language, label, shown([t[0] for t in starts[name]]), shown([t[1] for t in starts[name]]), used, rss_mb)
            print("| %s, %s | %s | %s | %.0f | %.0f |" % row)


def shown(times):
    return "%.1f (%.1f)" % (statistics.median(times), min(times))


main()
