"""Packages and layers that mean harm, and packages that harm has come to."""

import io
import os
import shutil
import urllib.request
import zipfile

import pytest
from botocore.exceptions import ClientError

from support import clients, functions
from support.server import wait_for

ADMIN = '[admin]\nlisten = "127.0.0.1:0"\n'
SOURCE = "def handler(event, context):\n    return {}\n"


def archive(*entries):
    """A zip of `(path, content)`, or of `(path, target, "link")`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for path, content, *link in entries:
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (0o120777 if link else 0o100755) << 16
            made.writestr(entry, content)
    return buffer.getvalue()


def refusal(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    assert error["Code"] == "InvalidParameterValueException"
    return error["Message"]


def test_nothing_is_made_through_a_link_of_a_package(client, deploy, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    for below in [("a/b", "/etc/shadow", "link"), ("a/new/deep/", ""), ("a/x", "x")]:
        for target in [str(victim), "..", "/etc"]:
            zipped = archive(("a", target, "link"), below, ("index.py", SOURCE.format(1)))
            name = functions.unique()
            told = refusal(
                client.create_function, FunctionName=name, Runtime="python3.12",
                Role=functions.ROLE, Handler="index.handler", Code={"ZipFile": zipped},
            )  # fmt: skip
            assert told.startswith("Could not unzip uploaded file.")
            assert "leads through a link of the package" in told
            told = refusal(
                client.publish_layer_version, LayerName=name, Content={"ZipFile": zipped}
            )
            assert "leads through a link of the package" in told
    name = deploy(SOURCE.format(1))
    told = refusal(client.update_function_code, FunctionName=name, ZipFile=zipped)
    assert "leads through a link of the package" in told
    assert list(victim.iterdir()) == []


@pytest.mark.one_process
def test_links_of_a_package_are_kept_as_they_are(client, deploy, invoke, server):
    source = "import os\ndef handler(event, context):\n    return os.readlink('/var/task/to')\n"
    name = deploy(archive(("index.py", source), ("to", "/etc/shadow", "link")))
    assert invoke(name).json == "/etc/shadow"
    # What was unpacked is of a user that is nobody else.
    files = [path for path in (server.data / "images").rglob("index.py")]
    owners = {path.lstat().st_uid for path in files}
    assert len(owners) == 1 and owners.pop() >= 100_000


def test_extensions_are_those_of_the_layers_and_none_of_the_machine(client, deploy, invoke, tmp_path):
    secret = tmp_path / "backup-of-customer-acme.sh"
    secret.write_text("#!/bin/sh\n")
    os.chmod(secret, 0o755)
    os.chmod(tmp_path, 0o700)
    for layer in [
        [("extensions", str(tmp_path), "link")],
        [("extensions", "/usr/bin", "link")],
        [("extensions/probe", str(secret), "link"), ("extensions/sh", "/bin/sh", "link")],
    ]:
        published = client.publish_layer_version(
            LayerName=functions.unique("layer"), Content={"ZipFile": archive(*layer)}
        )
        name = deploy(SOURCE.format(1), Layers=[published["LayerVersionArn"]])
        assert invoke(name).json == 1


def test_folders_count_as_files_do(client):
    def create(zipped):
        return refusal(
            client.create_function, FunctionName=functions.unique(), Runtime="python3.12",
            Role=functions.ROLE, Handler="index.handler", Code={"ZipFile": zipped},
        )  # fmt: skip

    deep = archive(*((f"{n}/" + "a/" * 1_500, "") for n in range(100)))
    assert "is too many folders deep" in create(deep)
    many = archive(*((f"{n}/" + "a/" * 60, "") for n in range(1_100)))
    assert create(many) == "Unzipped size must be smaller than 262144000 bytes"
    assert "has too long a name" in create(archive(("x" * 300, "")))


def test_a_package_that_is_another_than_was_uploaded_is_never_run(own_server):
    server = own_server(ADMIN).start()
    client = clients.make(server, retries={"max_attempts": 0})
    name = functions.unique()
    functions.create(client, name, SOURCE.format(1))
    (blob,) = (server.data / "blobs").glob("*/code%*.zip")
    uploaded, other = blob.read_bytes(), functions.package({"index.py": SOURCE.format(2)})
    blob.write_bytes(other)
    shutil.rmtree(server.data / "images")

    with pytest.raises(ClientError):
        client.invoke(FunctionName=name)
    client.update_function_configuration(FunctionName=name, Description="looked at again")
    failed = wait_for(lambda: last_update(client, name), within=30)
    assert failed["LastUpdateStatus"] == "Failed", failed
    assert failed["LastUpdateStatusReasonCode"] == "InternalError"
    assert failed["LastUpdateStatusReason"] == "An internal error occurred. Please upload the code again."
    link = client.get_function(FunctionName=name)["Code"]["Location"]
    with pytest.raises(OSError), urllib.request.urlopen(link, timeout=10):
        pass
    assert server.metric("lambent_control_packages_damaged_total") >= 3

    # The same again repairs it.
    client.update_function_code(FunctionName=name, ZipFile=uploaded)
    functions.until_updated(client, name)
    assert client.invoke(FunctionName=name)["Payload"].read() == b"1"
    assert blob.read_bytes() == uploaded
    status, _ = server.terminate()
    assert status == 0
    complaints = server.complaints()
    assert any('"level": "ERROR"' in line for line in complaints), complaints
    assert all("damaged" in line for line in complaints), complaints
    # Why `aws lambda wait` has failed, which says nothing itself.
    assert any("aws lambda wait" in line and name in line for line in complaints), complaints
    server.abandon()


def last_update(client, name):
    found = client.get_function_configuration(FunctionName=name)
    return None if found["LastUpdateStatus"] == "InProgress" else found


def test_unpacked_packages_that_are_deleted_are_made_again(own_server):
    server = own_server().start()
    client = clients.make(server)
    old = functions.unique()
    layer = client.publish_layer_version(
        LayerName="layer", Content={"ZipFile": functions.package({"python/it.py": "it = 7"})}
    )
    source = "def handler(event, context):\n    import it\n    return it.it\n"
    functions.create(client, old, source, Layers=[layer["LayerVersionArn"]])
    shutil.rmtree(server.data / "images")
    assert client.invoke(FunctionName=old)["Payload"].read() == b"7"
    shutil.rmtree(server.data / "images")
    new = functions.unique()
    functions.create(client, new, SOURCE.format(2))
    assert client.invoke(FunctionName=new)["Payload"].read() == b"2"
    server.finish()
