"""What a function finds around itself: variables, folders, limits, and nobody else."""

import pytest

from support import functions
from support.server import wait_for

LOOK = """
    import os, socket, subprocess, sys, threading, time
    def handler(event, context):
        return eval(event['text'], globals())
    def attempt(action):
        try:
            return repr(action())
        except BaseException as error:
            return type(error).__name__ + ': ' + str(error)
    def write(path):
        with open(path, 'w') as file:
            file.write('x')
"""


@pytest.fixture
def look(deploy_once, invoke):
    """Evaluates a text inside of an environment."""

    def call(text, **settings):
        answer = invoke(deploy_once(LOOK, **settings), {"text": text})
        assert answer.error is None, answer.body
        return answer.json

    return call


def test_lambdas_variables_are_there(deploy, invoke):
    name = deploy(LOOK, Environment={"Variables": {"COLOUR": "blue", "LANG": "C"}}, MemorySize=192)
    seen = invoke(name, {"text": "dict(os.environ)"}).json
    expected = {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "192",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "AWS_REGION": "us-east-1",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "COLOUR": "blue",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LANG": "C",
        "TZ": ":UTC",
        "_HANDLER": "index.handler",
    }
    assert {key: seen.get(key) for key in expected} == expected
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                "AWS_LAMBDA_LOG_STREAM_NAME", "LD_LIBRARY_PATH", "PATH", "_X_AMZN_TRACE_ID"):
        assert seen.get(key), key
    assert not [key for key in seen if "LAMBENT" in key]


def test_an_installation_can_add_variables(own_server):
    from support import clients

    server = own_server('[functions.environment]\nAWS_ENDPOINT_URL = "http://10.0.0.1:9100"\n').start()
    client = clients.make(server)
    functions.create(client, "f", LOOK)
    answer = client.invoke(FunctionName="f", Payload=b'{"text": "os.environ[\\"AWS_ENDPOINT_URL\\"]"}')
    assert answer["Payload"].read() == b'"http://10.0.0.1:9100"'
    server.finish()


@pytest.mark.parametrize("folder", ["/", "/etc", "/usr", "/var/task", "/var/runtime", "/opt", "/dev",
                                    "/var", "/home", "/root", "/proc", "/sys"])
def test_only_tmp_can_be_written(look, folder):
    said = look(f"attempt(lambda: write('{folder}/x'))")
    assert "Error" in said, said


def test_tmp_is_empty_private_and_of_its_size(look, deploy, invoke):
    assert look("os.listdir('/tmp')") == []
    assert look("attempt(lambda: write('/tmp/x'))") == "None"
    fill = "attempt(lambda: [open('/tmp/big', 'ab').write(b'x' * 2**20) for _ in range(600)] and 0)"
    # Under 600 MB of files: not memory is the limit, but the size of /tmp.
    said = invoke(deploy(LOOK, MemorySize=1536, Timeout=20), {"text": fill}).json
    assert "No space left on device" in said
    assert invoke(deploy(LOOK, MemorySize=1536, Timeout=20, EphemeralStorage={"Size": 700}),
                  {"text": fill}).json == "0"


def test_nobody_else_is_seen(look):
    processes = look("[int(p) for p in os.listdir('/proc') if p.isdigit()]")
    assert len(processes) <= 2
    assert look("os.getuid()") not in (0,)
    assert look("attempt(lambda: os.kill(1, 9))").startswith("PermissionError")
    assert look("attempt(lambda: os.setuid(0))").startswith("PermissionError")
    status = look("open('/proc/self/status').read()")
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status
    assert "Seccomp:\t2" in status


def test_the_host_is_not_seen(look, server):
    assert look(f"os.path.exists({str(server.data)!r})") is False
    assert "Error" in look("attempt(lambda: open('/etc/shadow').read())")
    assert look("socket.gethostname()") != open("/proc/sys/kernel/hostname").read().strip()


def test_there_is_no_network(look, server):
    port = server.url.rpartition(":")[2]
    for address in (f"('127.0.0.1', {port})", "('1.1.1.1', 53)", "('169.254.169.254', 80)"):
        said = look(f"attempt(lambda: socket.create_connection({address}, 1))")
        assert "Error" in said or "timed out" in said, said
    assert look("sorted(name for _, name in socket.if_nameindex())") == ["lo"]


def test_dangerous_calls_are_refused(look):
    for text in (
        "subprocess.run(['mount', '-t', 'tmpfs', 'x', '/tmp'], check=True)",
        "subprocess.run(['unshare', '-Ur', 'true'], check=True)",
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "os.mknod('/tmp/null', 0o20666, os.makedev(1, 3))",
        "os.chroot('/tmp')",
    ):
        said = look(f"attempt(lambda: {text})")
        assert "Error" in said, (text, said)


def test_limits_are_lambdas(look):
    assert look("__import__('resource').getrlimit(__import__('resource').RLIMIT_NOFILE)") == [1024, 1024]
    # Threads count as processes do.
    start = "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    said = look(f"attempt(lambda: [{start} for _ in range(1100)])", MemorySize=512, Timeout=30)
    assert "can't start new thread" in said


def test_processor_time_follows_memory(deploy, invoke):
    """A 64th of the memory of a full processor gets near a 14th of one: 128 of 1 769 MB."""
    burn = "(lambda a: [None for _ in iter(lambda: time.monotonic() - a < 1, False)] and time.process_time())(time.monotonic())"
    text = f"(lambda before: {burn} - before)(time.process_time())"
    name = deploy(LOOK, MemorySize=128, Timeout=10)
    used = invoke(name, {"text": text}).json
    assert used < 0.3, used


def test_nothing_runs_between_invokes(deploy, invoke):
    name = deploy("""
        import threading, time
        TICKS = [0]
        def tick():
            while True:
                TICKS[0] += 1
                time.sleep(0.01)
        threading.Thread(target=tick, daemon=True).start()
        def handler(event, context):
            if event.get('wait'):
                time.sleep(event['wait'])
            return [TICKS[0], time.time()]
    """, MemorySize=1769, Timeout=10)
    invoke(name, {})
    first, then = invoke(name, {"wait": 0.5}).json
    assert first > 5, "it runs while an invoke does"
    # Long enough for a hundred ticks, were it not frozen.
    wait_for(lambda: __import__("time").time() - then > 1.0, within=5)
    second, _ = invoke(name, {}).json
    assert second - first < 30, "it stood still in between"




def test_code_is_found_where_lambda_has_it(deploy, invoke):
    name = deploy({
        "index.py": "import lib.inner, sys, os\n"
                    "def handler(event, context):\n"
                    "    return [lib.inner.__file__, os.getcwd(), sys.path[0], open('data.txt').read()]\n",
        "lib/__init__.py": "", "lib/inner.py": "", "data.txt": "found",
    })
    assert invoke(name).json == ["/var/task/lib/inner.py", "/var/task", "/var/task", "found"]
