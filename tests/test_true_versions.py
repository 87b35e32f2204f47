"""The version in a runtime's name: the actual version is logged, and another is refused if the operator wants it so."""

import re
import subprocess

import pytest
from botocore.exceptions import ClientError

from support import clients, functions
from support.server import wait_for

SOURCE = "import platform\ndef handler(event, context): return platform.python_version()\n"


def machines_python():
    """Name and version of the machine's own, as the runtime's names have it."""
    said = subprocess.run(["/usr/bin/python3", "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"(\d+\.\d+)\.\d+", said)
    return version[1], version[0]


def told(server):
    """What the log says of each runtime, once it has said so of all."""
    entries = [entry for entry in server.entries() if isinstance(entry, dict)]
    lines = [entry for entry in entries if entry.get("message", "").startswith("a runtime")]
    found = {line["runtime"]: line for line in lines}
    return found if "python3.9" in found and "provided.al2023" in found else None


def test_true_versions_are_told_and_what_is_another_is_refused_if_so_wished(own_server):
    promised, version = machines_python()
    other = "python3.14" if promised != "3.14" else "python3.13"
    server = own_server("[runtimes]\nstrict = true\n").start()
    table = wait_for(lambda: told(server))
    assert (table[f"python{promised}"]["version"], table[f"python{promised}"]["message"]) == (version, "a runtime")
    if table[other].get("program") == "/usr/bin/python3":
        assert table[other]["version"] == version and "another version" in table[other]["message"]
        client = clients.make(server)
        with pytest.raises(ClientError) as refused:
            functions.create(client, "f", SOURCE, runtime=other, wait=False)
        error = refused.value.response["Error"]
        assert error["Code"] == "InvalidParameterValueException"
        assert version in error["Message"] and "strict" in error["Message"]
        functions.create(client, "f", SOURCE, runtime=f"python{promised}")
        assert client.invoke(FunctionName="f")["Payload"].read() == f'"{version}"'.encode()
        with pytest.raises(ClientError) as refused:
            client.update_function_configuration(FunctionName="f", Runtime=other)
        assert refused.value.response["Error"]["Message"].startswith(f"{other}: ")
    server.finish()


def test_without_strictness_the_log_alone_tells(server):
    table = wait_for(lambda: told(server))
    promised, version = machines_python()
    assert table[f"python{promised}"]["version"] == version
    assert table["provided.al2023"]["message"] == "a runtime: functions bring their own program"
