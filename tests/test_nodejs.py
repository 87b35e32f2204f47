"""Node.js functions: handlers of every form, errors, and responses that stream."""

import base64

import pytest

RUNTIME = "nodejs20.x"


@pytest.fixture
def node(deploy_once, invoke):
    """Deploys a source and invokes it."""

    def call(source, event=None, file="index.mjs", **arguments):
        handler = arguments.pop("handler", "index.handler")
        name = deploy_once({file: source}, runtime=RUNTIME, Handler=handler, MemorySize=256, Timeout=5)
        return invoke(name, event if event is not None else {}, **arguments)

    return call


@pytest.fixture(scope="module")
def deploy_once(client):
    from support import functions

    made = {}

    def make(files, **settings):
        key = repr((sorted(files.items()), sorted(settings.items())))
        if key not in made:
            made[key] = functions.unique("node")
            functions.create(client, made[key], files, **settings)
        return made[key]

    yield make
    for name in made.values():
        functions.delete(client, name)


@pytest.mark.parametrize(
    "file, source",
    [
        ("index.mjs", "export const handler = async (event) => ({ got: event });"),
        ("index.js", "exports.handler = async (event) => ({ got: event });"),
        ("index.js", "exports.handler = (event, context, callback) => callback(null, { got: event });"),
        ("index.cjs", "module.exports = { handler: async (event) => ({ got: event }) };"),
    ],
)
def test_handlers_of_every_form(node, file, source):
    answer = node(source, {"a": [1, "ä"]}, file=file)
    assert answer.error is None, answer.body
    assert answer.json == {"got": {"a": [1, "ä"]}}


def test_the_context(node):
    answer = node("""
        exports.handler = async (event, context) => ({
            request: context.awsRequestId, arn: context.invokedFunctionArn, name: context.functionName,
            memory: context.memoryLimitInMB, left: context.getRemainingTimeInMillis(),
            env: process.env.AWS_EXECUTION_ENV, file: __filename,
        });
    """, file="index.js")
    seen = answer.json
    assert seen["request"] == answer.request_id
    assert seen["arn"].endswith(seen["name"])
    assert seen["memory"] == "256"
    assert 0 < seen["left"] <= 5000
    assert seen["env"] == "AWS_Lambda_nodejs20.x"
    assert seen["file"] == "/var/task/index.js"


def test_errors_have_names_and_traces(node):
    answer = node("export const handler = async () => { throw new RangeError('too far'); };",
                  LogType="Tail")
    assert answer.error == "Unhandled"
    told = answer.json
    assert (told["errorType"], told["errorMessage"]) == ("RangeError", "too far")
    assert any("/var/task/index.mjs" in line for line in told["trace"])
    assert "RangeError" in base64.b64decode(answer.raw["LogResult"]).decode()


@pytest.mark.parametrize(
    "source, error_type",
    [
        ("exports.other = 1;", "Runtime.HandlerNotFound"),
        ("exports.handler = ;", "Runtime.UserCodeSyntaxError"),
        ("require('nothing-of-the-kind');", "Runtime.ImportModuleError"),
        ("throw new Error('at import');", "Error"),
        ("exports.handler = async () => { setTimeout(() => { throw new Error('late'); }, 10);"
         " await new Promise(() => {}); };", "Error"),
        ("exports.handler = async () => { Promise.reject(new Error('nobody')); await new Promise(() => {}); };",
         "Runtime.UnhandledPromiseRejection"),
        ("exports.handler = async () => { process.exit(5); };", "Runtime.ExitError"),
    ],
)
def test_failures_are_told_apart(node, source, error_type):
    answer = node(source, file="index.js")
    assert answer.error == "Unhandled"
    assert answer.json["errorType"] == error_type, answer.json


def test_what_is_printed_is_logged_with_its_level(node):
    answer = node("export const handler = async () => { console.log('said'); console.error('cried'); };",
                  LogType="Tail")
    log = base64.b64decode(answer.raw["LogResult"]).decode()
    assert f"\t{answer.request_id}\tINFO\tsaid" in log
    assert f"\t{answer.request_id}\tERROR\tcried" in log


def test_a_streamed_response_is_collected(node):
    answer = node("""
        export const handler = awslambda.streamifyResponse(async (event, stream) => {
            for (let i = 0; i < event.pieces; i++) {
                stream.write(`piece ${i};`);
                await new Promise((resolve) => setTimeout(resolve, 5));
            }
            stream.end('end');
        });
    """, {"pieces": 5})
    assert answer.error is None
    assert answer.body.decode() == "".join(f"piece {i};" for i in range(5)) + "end"


def test_a_stream_that_breaks_is_an_error(node):
    answer = node("""
        export const handler = awslambda.streamifyResponse(async (event, stream) => {
            stream.write('begun');
            await new Promise((resolve) => setTimeout(resolve, 20));
            throw new TypeError('broken');
        });
    """)
    assert answer.error == "Unhandled"
    assert answer.json["errorType"] == "TypeError"
