"""What functions find around themselves, as AWS Lambda has it: facts as data, and functions in three languages
that look.

Where a fact is not AWS's, its comment says what AWS has and why it is another here.
"""

LIMITED = "unlimited"

# Lines of /proc/self/limits: soft and hard.
LIMITS = {
    "Max open files": ("1024", "1024"),
    "Max processes": ("742", "742"),
    "Max locked memory": ("65536", "65536"),
    "Max stack size": ("8388608", LIMITED),
    "Max cpu time": (LIMITED, LIMITED),
    "Max file size": (LIMITED, LIMITED),
    "Max data size": (LIMITED, LIMITED),
    "Max resident set": (LIMITED, LIMITED),
    "Max address space": (LIMITED, LIMITED),
    "Max file locks": (LIMITED, LIMITED),
    "Max realtime timeout": (LIMITED, LIMITED),
    # AWS: 10 737 418 240. One byte is what keeps the machine's kernel from writing a dump, and from starting the
    # machine's own program for dumps, wherever that would be.
    "Max core file size": ("1", "1"),
    # AWS: without limit. POSIX message queues are not available; a container without CAP_SYS_RESOURCE keeps their
    # limit, which others have raised beforehand. Signals that wait take memory beyond a cgroup's limit; "Max pending signals" is the machine's.
    # Nobody goes before others.
    "Max nice priority": ("0", "0"),
    "Max realtime priority": ("0", "0"),
}

# Modes, in octal, and owners by the function's own numbers. AWS: all of them root's. What the machine's root has
# is nobody's in a sandbox; `/tmp` is made for it.
FOLDERS = {
    "/tmp": ("1777", 0),
    "/var/task": ("755", None),
    "/opt": ("755", None),
    "/lambda-entrypoint.sh": ("755", None),
}

# Variables of all runtimes; None where there is none.
VARIABLES = {
    "AWS_EXECUTION_ENV": "AWS_Lambda_{runtime}",
    "AWS_LAMBDA_LOG_FORMAT": None,
    "AWS_LAMBDA_LOG_LEVEL": None,
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
    "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    "AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1:2000",
    "_AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1",
    "_AWS_XRAY_DAEMON_PORT": "2000",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
    "LAMBDA_TASK_ROOT": "/var/task",
    "LANG": "en_US.UTF-8",
    "TZ": ":UTC",
}
# Those of one runtime.
OF_RUNTIME = {
    "python3.12": {"PWD": "/var/task", "SHLVL": "0", "PYTHONPATH": "/var/runtime"},
    "nodejs20.x": {
        "NODE_PATH": "/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules"
                     ":/var/runtime/node_modules:/var/runtime:/var/task",
    },
    "provided.al2023": {"AWS_EXECUTION_ENV": None},
    "provided.al2": {"AWS_EXECUTION_ENV": None},
}

# Commands, and what they print.
COMMANDS = {
    "whoami": "sbx_user1051",
    "id -u -n": "sbx_user1051",
    "pwd": "/var/task",
    "source /dev/null && echo $0 ${BASH_VERSION:+bash}": "/bin/sh bash",
    "getent passwd sbx_user1051 | cut -d: -f3": "993",
    "/lambda-entrypoint.sh 2>&1; echo $?": "entrypoint requires the handler name to be the first argument\n142",
    "umask": "0022",
    "test -w /tmp && ! test -w /var/task && ! test -w /opt && echo so": "so",
}
# Programs in AWS's places; each tells a version.
PROGRAMS = {
    "python3.12": ["/var/lang/bin/python3.12", "/var/lang/bin/python3"],
    "nodejs20.x": ["/var/lang/bin/node"],
    "provided.al2023": [],
    "provided.al2": [],
}

# What looks: it is told what to run, with /bin/sh, and answers with what was printed, and its variables.
PYTHON = """
    import os, subprocess
    def handler(event, context):
        run = lambda text: subprocess.run(text, shell=True, capture_output=True, text=True).stdout
        return {"variables": dict(os.environ), "printed": {text: run(text) for text in event}}
"""
NODEJS = """
    import { spawnSync } from 'node:child_process';
    export const handler = async (event) => ({
        variables: { ...process.env },
        printed: Object.fromEntries(event.map((text) => [text, spawnSync('/bin/sh', ['-c', text]).stdout.toString()])),
    });
"""
BOOTSTRAP = """
run = lambda text: __import__('subprocess').run(text, shell=True, capture_output=True, text=True).stdout
while True:
    request, headers, event = next()
    found = {"variables": dict(os.environ), "printed": {text: run(text) for text in event}}
    call('POST', f'invocation/{request}/response', json.dumps(found))
"""


def commands(runtime):
    """Everything that is to be run in a function of that runtime."""
    looks = [f"stat -L -c '%a %u' {path}" for path in FOLDERS]
    versions = [f"{program} --version >/dev/null && echo runs" for program in PROGRAMS[runtime]]
    return ["cat /proc/self/limits", *looks, *versions, *COMMANDS]


def differences(runtime, found):
    """What is not as the tables have it: a line for each."""
    wrong = []

    def same(what, is_, should):
        if is_ != should:
            wrong.append(f"{what}: {is_!r}, not {should!r}")

    printed = {text: said.rstrip("\n") for text, said in found["printed"].items()}
    limits = {}
    for line in printed["cat /proc/self/limits"].splitlines()[1:]:
        limits[line[:26].strip()] = tuple(line[26:].split()[:2])
    for name, both in LIMITS.items():
        same(name, limits.get(name), both)
    for path, (mode, owner) in FOLDERS.items():
        said = printed[f"stat -L -c '%a %u' {path}"].split()
        same(path, said[:1], [mode])
        if owner is not None:
            same(f"owner of {path}", said[1:], [str(owner)])
    for program in PROGRAMS[runtime]:
        same(program, printed[f"{program} --version >/dev/null && echo runs"], "runs")
    for text, said in COMMANDS.items():
        same(text, printed[text], said)
    for name, value in {**VARIABLES, **OF_RUNTIME[runtime]}.items():
        value = value if value is None else value.format(runtime=runtime)
        same(name, found["variables"].get(name), value)
    return wrong
