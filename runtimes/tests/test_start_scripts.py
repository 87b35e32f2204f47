"""What AWS's start scripts do for a function in addition to the protocol, and the SDKs that functions find."""

import json

import pytest

from harness import run


def package(folder, name, text):
    """An ES module of that name, with another face for `require`."""
    made = folder / name
    made.mkdir(parents=True)
    (made / "package.json").write_text('{"type":"module","exports":{"import":"./i.js","require":"./r.cjs"}}')
    (made / "i.js").write_text("export default %r;" % text)
    (made / "r.cjs").write_text("module.exports = %r;" % (text + " required"))


def answer(runtime, task, handler, env=None):
    outcome = run(runtime, task, handler, [b"{}"], env)
    assert outcome.posts and outcome.posts[0].path.endswith("/response"), (outcome.posts, outcome.output)
    return json.loads(outcome.posts[0].body)


@pytest.fixture(params=["nodejs", "nodejs24"])
def node(request):
    return request.getfixturevalue(request.param)[0]


def test_pth_files_of_the_function_are_read(python, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more/only_there.py").write_text("VALUE = 5")
    (tmp_path / "x.pth").write_text("more\n")
    (tmp_path / "app.py").write_text("import only_there\ndef handler(event, context): return only_there.VALUE\n")
    assert answer(python[0], tmp_path, "app.handler") == 5


def test_layers_are_where_the_functions_own_python_path_says(python, tmp_path):
    (tmp_path / "app.py").write_text("import sys\ndef handler(event, context): return sys.path\n")
    assert "/opt/python" in answer(python[0], tmp_path, "app.handler")
    assert "/opt/python" not in answer(python[0], tmp_path, "app.handler", {"PYTHONPATH": "/elsewhere"})


def test_es_modules_are_looked_for_in_node_path_behind_the_functions_own(node, tmp_path):
    layer, runtime, task = tmp_path / "layer/node_modules", tmp_path / "runtime/node_modules", tmp_path / "task"
    for name in ("both", "layered", "@scope/deep"):
        package(layer, name, "layer")
    package(runtime, "both", "runtime")
    package(runtime, "bundled", "runtime")
    package(task / "node_modules", "own", "task")
    package(layer, "own", "layer")
    (task / "a.mjs").write_text("import a from 'both'; import b from '@scope/deep'; export default [a, b];")
    (task / "index.mjs").write_text(
        "import a from './a.mjs'; import b from 'layered'; import c from 'bundled'; import own from 'own';\n"
        "import { createRequire } from 'module'; const d = createRequire(import.meta.url)('layered');\n"
        "export const handler = async () => [a, b, c, own, d];"
    )
    path = {"NODE_PATH": "%s:%s:%s" % (layer, runtime, task)}
    expected = [["layer", "layer"], "layer", "runtime", "task", "layer required"]
    assert answer(node, task, "index.handler", path) == expected


def test_a_package_that_is_nowhere_is_told_of_as_before(node, tmp_path):
    package(tmp_path / "layer/node_modules", "there", "layer")
    (tmp_path / "index.mjs").write_text("import x from 'nowhere'; export const handler = () => 1;")
    outcome = run(node, tmp_path, "index.handler", [b"{}"], {"NODE_PATH": str(tmp_path / "layer/node_modules")})
    assert "Cannot find package 'nowhere'" in json.loads(outcome.posts[0].body)["errorMessage"]


@pytest.mark.parametrize("source, kind, message", [
    ("import fs from 'fs'; exports.handler = async () => 1;", "Runtime.UserCodeSyntaxError",
     "SyntaxError: Cannot use import statement outside a module"),
    ("export const handler = async () => 1;", "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected token 'export'"),
    ("require('./module.mjs'); exports.handler = async () => 1;", "Error", "require() of ES Module "),
])
def test_es_modules_are_not_required_before_nodejs_24(nodejs, nodejs24, tmp_path, source, kind, message):
    (tmp_path / "index.js").write_text(source)
    (tmp_path / "module.mjs").write_text("export const a = 1;")
    outcome = run(nodejs[0], tmp_path, "index.handler", [b"{}"])
    told = json.loads(outcome.posts[0].body)
    assert (told["errorType"], told["errorMessage"][: len(message)]) == (kind, message)
    if "exports." not in source or "import fs" not in source:
        assert answer(nodejs24[0], tmp_path, "index.handler") == 1


def test_python_functions_find_boto3_behind_their_own(python, tmp_path):
    source = "import boto3\ndef handler(event, context):\n    return boto3.__file__\n"
    (tmp_path / "app.py").write_text(source)
    assert answer(python[0], tmp_path, "app.handler").startswith(str(python[0].folder / "sdk"))
    (tmp_path / "boto3.py").write_text("")
    assert answer(python[0], tmp_path, "app.handler") == str(tmp_path / "boto3.py")


def test_nodejs_functions_find_the_sdk_behind_their_own(node, tmp_path):
    path = {"NODE_PATH": "%s:%s" % (node.folder / "node_modules", tmp_path)}
    (tmp_path / "index.mjs").write_text(
        "import { S3Client } from '@aws-sdk/client-s3'; import * as all from '@aws-sdk/lib-dynamodb';\n"
        "export const handler = async () => [typeof S3Client, typeof all.DynamoDBDocumentClient];"
    )
    (tmp_path / "common.cjs").write_text("exports.handler = async () => typeof require('@aws-sdk/client-sqs').SQSClient;")
    assert answer(node, tmp_path, "index.handler", path) == ["function", "function"]
    assert answer(node, tmp_path, "common.handler", path) == "function"
    own = tmp_path / "node_modules/@aws-sdk/client-sqs"
    own.mkdir(parents=True)
    (own / "index.js").write_text("exports.SQSClient = 'own';")
    assert answer(node, tmp_path, "common.handler", path) == "string"
