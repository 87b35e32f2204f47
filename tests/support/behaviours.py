"""Behaviours of runtimes and extensions, generated, and functions that behave as the event says.

What a behaviour's answer is must not depend on a race, nor on what an environment did before: who ends after the answer does so because it knows that the
answer has been posted.
"""

import json
import random

# What a process prints before it answers.
NOISE = ["", "a line\n", "no line end", "x" * 300_000 + "\n", "a\nb\r\nc\n", "\x00\x01\n", "REPORT RequestId: x\n"]
# What a pipe holds.
PIPE_BYTES = 65_536
# What a custom runtime does once it has its event, and once its answer is posted.
POSTS = ["result", "error", "stream", "broken stream", "large", "twice", "other id", "none"]
ENDS = ["next", "exit 0", "exit 3", "signal 9", "signal 11", "hang", "stop", "orphan"]
# What an external extension does about an invoke; the last two end it before there is an answer.
EXTENSIONS = ["next", "late", "noise", "dies after", "fails after", "hangs", "dies before", "fails before"]

PYTHON_HANDLERS = {
    "returns": "return {'a': [1, None]}",
    "raises": "raise ValueError('no\\nline')",
    "raises base": "raise type('Own', (BaseException,), {})('own')",
    "exits": "sys.exit(3)",
    "exits at once": "os._exit(0)",
    "killed": "os.kill(os.getpid(), 9)",
    "aborts": "os.abort()",
    "hangs": "time.sleep(60)",
    "unserialisable": "return object()",
    "too large": "return 'x' * 6_400_000",
    "logs": "logging.getLogger().error('a\\nb'); return 1",
    "writes below": "os.write(1, b'half'); return 'below'",
    "out of memory": "return len(b'x' * (1 << 30))",
    "child": "subprocess.Popen(['/bin/sh', '-c', 'sleep 60; echo late']); return 'parent'",
    "thread raises": "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join(); return 'main'",
    "thread exits": "threading.Thread(target=lambda: os._exit(4)).start(); time.sleep(60)",
    "recursion": "deeper = lambda: deeper(); return deeper()",
}
NODEJS_HANDLERS = {
    "returns": "return {a: [1, null]};",
    "throws": "throw new RangeError('no\\nline');",
    "throws a text": "throw 'a text';",
    "rejected later": "Promise.reject(new Error('nobody')); return new Promise(() => {});",
    "rejected at once": "Promise.reject(new Error('nobody')); return 'answered';",
    "throws later": "setTimeout(() => { throw new Error('late'); }, 5); return new Promise(() => {});",
    "exits": "process.exit(3);",
    "killed": "process.kill(process.pid, 'SIGKILL'); return new Promise(() => {});",
    "aborts": "process.abort();",
    "nothing left": "return new Promise(() => {});",
    "hangs": "return new Promise(() => setTimeout(() => {}, 60000));",
    "spins": "for (;;) {}",
    "unserialisable": "return 1n;",
    "too large": "return 'x'.repeat(6400000);",
    "logs": "console.error('a\\nb', {c: 1}); return 1;",
    "writes below": "fs.writeSync(1, 'half'); return 'below';",
    "timer goes on": "setTimeout(() => { throw new Error('after'); }, 6000000); return 'now';",
    "child": "spawn('/bin/sh', ['-c', 'sleep 60'], {detached: true}).unref(); return 'parent';",
    "out of stack": "const f = () => f(); f();",
}
STREAM_HANDLERS = {
    "ends": "stream.write('one'); stream.end('two');",
    "ends with nothing": "stream.end();",
    "throws first": "throw new Error('first');",
    "throws midway": "stream.write('one'); await new Promise((done) => setTimeout(done, 30)); throw new Error('midway');",
    "rejected midway": "stream.write('one'); Promise.reject(new Error('nobody')); await new Promise(() => {});",
    "never ends": "stream.write('one'); await new Promise(() => setTimeout(() => {}, 60000));",
    "large": "stream.write('x'.repeat(3000000)); stream.end();",
}
# Those whose end is their timeout.
SLOW = {"hang", "stop", "hangs", "spins", "never ends", "none"}


def _python(handlers):
    lines = [f"    if does == {does!r}: {code}" for does, code in handlers.items()]
    return "\n".join([
        "import json, logging, os, subprocess, sys, threading, time",
        "def handler(event, context):",
        "    with open('/tmp/told-new', 'w') as file:",
        "        json.dump([context.aws_request_id, event['extension']], file)",
        "    os.rename('/tmp/told-new', '/tmp/told')",
        "    sys.stdout.write(event['noise']); sys.stdout.flush()",
        "    does = event['does']",
        "    if event['extension'].endswith('before'): time.sleep(60)",
        *lines,
    ])


_TELL = (
    "fs.writeFileSync('/tmp/told-new', JSON.stringify([context.awsRequestId, event.extension]));"
    "fs.renameSync('/tmp/told-new', '/tmp/told'); if (event.noise) process.stdout.write(event.noise);"
    "if (event.extension.endsWith('before')) await new Promise((done) => setTimeout(done, 60000));"
)


def _nodejs(handlers, head, tail):
    cases = "".join(f"case {json.dumps(does)}: {{ {code} break; }}\n" for does, code in handlers.items())
    return (
        "import fs from 'node:fs'; import { spawn } from 'node:child_process';\n"
        f"export const handler = {head} {{ {_TELL}\nswitch (event.does) {{\n{cases}}}\n}}{tail};"
    )


# A custom runtime: what it does after the answer, it does after it was told that the answer is taken.
CUSTOM = """#!/usr/bin/python3
import http.client, json, os, signal, subprocess, sys, time
BASE = '/2018-06-01/runtime/'
API = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
def call(method, path, body=None, headers={}):
    API.request(method, BASE + path, body, headers)
    answer = API.getresponse()
    return dict((k.lower(), v) for k, v in answer.getheaders()), answer.read()
def write(path, text):
    with open(path + '-new', 'w') as file: file.write(text)
    os.rename(path + '-new', path)
def broken():
    yield b'one'
    time.sleep(0.02)
    os._exit(5)
STREAM = {'Lambda-Runtime-Function-Response-Mode': 'streaming'}
FAILED = {'Lambda-Runtime-Function-Error-Type': 'Mine'}
ERROR = json.dumps({'errorType': 'Mine', 'errorMessage': 'told'})
while True:
    headers, event = call('GET', 'invocation/next')
    event, request = json.loads(event), headers['lambda-runtime-aws-request-id']
    write('/tmp/told', json.dumps([request, event['extension']]))
    sys.stdout.write(event['noise']); sys.stdout.flush()
    if event['extension'].endswith('before'): time.sleep(60)
    post, end, path = event['does'], event['end'], f'invocation/{request}/'
    if post == 'result': call('POST', path + 'response', '"answered"')
    if post == 'error': call('POST', path + 'error', ERROR, FAILED)
    if post == 'stream': call('POST', path + 'response', iter([b'one', b'two']), STREAM)
    if post == 'broken stream': call('POST', path + 'response', broken(), STREAM)
    if post == 'large': call('POST', path + 'response', b'x' * 6400000)
    if post == 'twice':
        call('POST', path + 'response', '"first"')
        call('POST', path + 'error', ERROR, FAILED)
    if post == 'other id':
        call('POST', 'invocation/00000000-0000-4000-8000-000000000000/response', '"other"')
        call('POST', path + 'response', '"own"')
    write('/tmp/posted', request)
    # What an extension does after the answer comes before what this runtime does after it.
    while event['extension'].endswith('after'): time.sleep(1)
    if end.startswith('exit'): os._exit(int(end[5:]))
    if end.startswith('signal'): os.kill(os.getpid(), int(end[7:]))
    if end == 'hang': time.sleep(60)
    if end == 'stop': os.kill(os.getpid(), signal.SIGSTOP)
    if end == 'orphan':
        subprocess.Popen(['/bin/sh', '-c', 'sleep 60'])
        os._exit(6)
"""

EXTENSION = """#!/usr/bin/python3
import http.client, json, os, sys, time
API = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
def call(method, path, body=None, headers={}):
    API.request(method, '/2020-01-01/extension/' + path, body, headers)
    answer = API.getresponse()
    return dict((k.lower(), v) for k, v in answer.getheaders()), answer.read()
headers, _ = call('POST', 'register', '{"events":["INVOKE","SHUTDOWN"]}', {'Lambda-Extension-Name': 'behaving'})
ME = {'Lambda-Extension-Identifier': headers['lambda-extension-identifier']}
def told(path, holds):
    while True:
        try:
            with open(path) as file:
                found = holds(file.read())
            if found: return found
        except FileNotFoundError:
            pass
        time.sleep(0.002)
while True:
    event = json.loads(call('GET', 'event/next', headers=ME)[1])
    if event['eventType'] == 'SHUTDOWN': break
    request = event['requestId']
    does = told('/tmp/told', lambda text: json.loads(text)[0] == request and json.loads(text)[1])
    if does.endswith('after'): told('/tmp/posted', lambda text: text == request)
    if does == 'noise': print('y' * 200000, flush=True)
    if does == 'late': time.sleep(0.2); print('late', flush=True)
    if does == 'hangs': time.sleep(60)
    if does.startswith('fails'):
        call('POST', 'exit/error', '{}', {**ME, 'Lambda-Extension-Function-Error-Type': 'Extension.Own'})
        os._exit(1)
    if does.startswith('dies'): os._exit(7)
"""

# By the name of the runtime: package, and what is created of it.
FUNCTIONS = {
    "custom": ({"bootstrap": CUSTOM}, "provided.al2023"),
    "python": ({"index.py": _python(PYTHON_HANDLERS)}, "python3.12"),
    "nodejs": ({"index.mjs": _nodejs(NODEJS_HANDLERS, "async (event, context) =>", "")}, "nodejs20.x"),
    "streaming": (
        {"index.mjs": _nodejs(
            STREAM_HANDLERS, "awslambda.streamifyResponse(async (event, stream, context) =>", ")"
        )},
        "nodejs20.x",
    ),
}
_DOES = {"custom": POSTS, "python": list(PYTHON_HANDLERS), "nodejs": list(NODEJS_HANDLERS),
         "streaming": list(STREAM_HANDLERS)}


def is_slow(event):
    """Whether an invoke with it lasts until the function's timeout, or may."""
    return bool({event["does"], event.get("end"), event["extension"]} & SLOW)


def generate(count, seed):
    """`count` behaviours: the function's runtime, the event, and whether it is invoked for a stream."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        runtime = list(FUNCTIONS)[number % len(FUNCTIONS)]
        # Most of the time one thing is odd; what lasts until the timeout is rare.
        known = EXTENSIONS if runtime == "custom" else [e for e in EXTENSIONS if not e.endswith("after")]
        extension = "next" if chance.random() < 0.6 else chance.choice(known)
        event = {"does": chance.choice(_DOES[runtime]), "extension": extension,
                 "noise": "" if chance.random() < 0.5 else chance.choice(NOISE)}
        if event["does"] == "writes below" and len(event["noise"]) > PIPE_BYTES:
            # Node.js does not wait for a pipe that is full: whether it is depends on how fast it is read.
            event["noise"] = ""
        if runtime == "custom":
            event["end"] = chance.choice(ENDS)
        made.append((runtime, event, chance.random() < 0.3))
    return made
