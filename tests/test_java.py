"""Java functions, compiled here by the machine's own compiler."""

import base64
import pathlib
import shutil
import subprocess

import pytest

from support import functions, written
from support.server import runtimes_directory

SOURCE = """
package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaRuntime;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.List;
import java.util.Map;

public class Handlers implements RequestHandler<Map<String, Object>, Map<String, Object>> {
    public static class Order {
        private String id;
        private int count;
        private List<String> tags;
        public String getId() { return id; }
        public void setId(String id) { this.id = id; }
        public int getCount() { return count; }
        public void setCount(int count) { this.count = count; }
        public List<String> getTags() { return tags; }
        public void setTags(List<String> tags) { this.tags = tags; }
    }

    @Override
    public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
        context.getLogger().log("logged by the context\\n");
        return Map.of("event", event, "request", context.getAwsRequestId(),
            "name", context.getFunctionName(), "left", context.getRemainingTimeInMillis() > 0);
    }

    public Order bean(Order order) {
        order.setCount(order.getCount() + 1);
        return order;
    }

    public String text(String text) { return text + "!"; }

    public void stream(InputStream in, OutputStream out) throws java.io.IOException {
        out.write('[');
        in.transferTo(out);
        out.write(']');
    }

    public Map<String, Object> dates(Map<String, Object> event) {
        return Map.of("day", java.time.LocalDate.of(2020, 1, 2), "some", java.util.Optional.of(event));
    }

    public String fails(Object event) { throw new IllegalStateException("not so"); }

    public String logs(Object event, Context context) {
        System.out.println("printed\\nbare");
        context.getLogger().log("first\\nsecond\\n");
        // As log4j2's Lambda appender comes by its logger.
        LambdaRuntime.getLogger().log("third\\n\\tfourth".getBytes());
        throw new IllegalStateException("not\\nso");
    }

    public String exits(Object event) { System.exit(9); return ""; }
}
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The handlers above as a zip of classes."""
    folder = tmp_path_factory.mktemp("java")
    source = folder / "Handlers.java"
    source.write_text(SOURCE)
    jar = pathlib.Path(runtimes_directory(), "java", "lambent.jar")
    assert shutil.which("javac") and jar.exists(), "Java is not installed, or its runtime not built"
    classes = folder / "classes"
    subprocess.run(
        ["javac", "--release", "17", "-cp", jar, "-d", classes, source], check=True, timeout=120
    )
    files = [path for path in classes.rglob("*") if path.is_file()]
    return functions.package({str(f.relative_to(classes)): f.read_bytes() for f in files})


@pytest.fixture(scope="module")
def java(client, package):
    """Deploys one of the handlers and invokes it."""
    made = {}

    def call(method, event, **arguments):
        import conftest
        import json

        if method not in made:
            made[method] = functions.unique("java")
            functions.create(client, made[method], package, "java17", MemorySize=512, Timeout=15,
                             Handler="example.Handlers" + (f"::{method}" if method else ""))
        return conftest.Answer(client.invoke(
            FunctionName=made[method], Payload=json.dumps(event).encode(), **arguments
        ))

    call.name = made.get
    yield call
    for name in made.values():
        functions.delete(client, name)


def test_a_request_handler(java):
    answer = java("", {"a": 1, "b": [True, None, "ä"]}, LogType="Tail")
    assert answer.error is None, answer.body
    assert answer.json["event"] == {"a": 1, "b": [True, None, "ä"]}
    assert answer.json["request"] == answer.request_id
    assert answer.json["left"] is True
    assert "logged by the context" in base64.b64decode(answer.raw["LogResult"]).decode()


def test_beans_texts_and_streams(java):
    answer = java("bean", {"id": "x", "count": 1, "tags": ["a", "b"]})
    assert answer.json == {"id": "x", "count": 2, "tags": ["a", "b"]}
    assert java("text", "hello").json == "hello!"
    assert java("stream", {"a": 1}).json == [{"a": 1}]


def test_results_are_written_by_the_rules_of_awss_library(java):
    answer = java("dates", {"a": 1})
    assert answer.json == {"day": [2020, 1, 2], "some": {"a": 1}}


def test_exceptions_are_told(java):
    answer = java("fails", {})
    assert answer.error == "Unhandled"
    assert answer.json["errorType"] == "java.lang.IllegalStateException"
    assert answer.json["errorMessage"] == "not so"
    assert any("example.Handlers.fails" in line for line in answer.json["stackTrace"])


def test_what_is_logged_is_one_event(java, server):
    answer = java("logs", {})
    assert answer.json["errorMessage"] == "not\nso"
    found = written.by_function(server, java.name("logs"))
    assert found[:4] == ["printed\n", "bare\n", "first\nsecond\n", "third\n\tfourth"]
    assert len(found) == 5 and found[4].startswith("not\nso: java.lang.IllegalStateException\n"), found[4:]
    assert "\tat example.Handlers.logs(" in found[4]


def test_a_virtual_machine_that_exits(java):
    answer = java("exits", {})
    assert answer.error == "Unhandled"
    assert answer.json["errorType"] == "Runtime.ExitError"
    assert "exit status 9" in answer.json["errorMessage"]


def test_a_class_that_is_not_there(client, package, invoke):
    name = functions.unique("java")
    functions.create(client, name, package, "java17", MemorySize=512, Timeout=15,
                     Handler="example.Absent::handle")
    answer = invoke(name, {})
    assert answer.error == "Unhandled"
    assert "example.Absent" in answer.json["errorMessage"]
    functions.delete(client, name)
