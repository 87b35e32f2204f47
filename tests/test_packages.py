"""Packages that nothing names any more: they go after their time, and nothing else does."""

import urllib.request

from support import clients, functions
from support.server import wait_for

# What an environment runs stays unpacked for as long as the environment lives.
KEPT = "[assignment]\nidle_seconds = 2\n\n[functions]\nunused_packages_seconds = {seconds}\n"
SOURCE = "def handler(event, context):\n    return {}\n"


def packages(server):
    """The zips that are kept, and the folders they are unpacked in."""
    zips = {path.name.split("%")[1] for path in (server.data / "blobs").glob("*/code%*.zip")}
    folders = {path.name for path in (server.data / "images").glob("*/*") if path.is_dir()}
    return {name.removesuffix(".zip") for name in zips}, folders


def test_a_package_goes_with_the_last_that_names_it(own_server):
    server = own_server(KEPT.format(seconds=2)).start()
    client = clients.make(server)
    first = functions.create(client, "first", SOURCE.format(1), Publish=True)
    functions.create(client, "second", SOURCE.format(1))
    other = functions.create(client, "other", SOURCE.format(2))
    layer = client.publish_layer_version(
        LayerName="layer", Content={"ZipFile": functions.package({"python/it.py": "it = 1"})}
    )
    assert first["CodeSha256"] != other["CodeSha256"]
    assert len(packages(server)[0]) == 3

    # Others name the package, whichever of its functions goes.
    functions.delete(client, "first")
    functions.delete(client, "other")
    wait_for(lambda: len(packages(server)[0]) == 2, within=30)
    answer = client.invoke(FunctionName="second")
    assert answer["Payload"].read() == b"1"

    client.delete_layer_version(LayerName="layer", VersionNumber=layer["Version"])
    wait_for(lambda: len(packages(server)[0]) == 1, within=30)
    functions.delete(client, "second")
    wait_for(lambda: packages(server) == (set(), set()), within=30)

    # It comes back as if it had never been there.
    functions.create(client, "third", SOURCE.format(1))
    assert client.invoke(FunctionName="third")["Payload"].read() == b"1"
    server.finish()


def test_a_package_that_was_unused_when_the_server_died_goes_after_the_next_start(own_server):
    server = own_server(KEPT.format(seconds=2)).start()
    client = clients.make(server)
    functions.create(client, "gone", SOURCE.format(1))
    functions.create(client, "kept", SOURCE.format(2))
    functions.delete(client, "gone")
    server.kill()
    server.start()
    client = clients.make(server)
    wait_for(lambda: len(packages(server)[0]) == 1, within=30)
    assert client.invoke(FunctionName="kept")["Payload"].read() == b"2"
    server.finish()


def test_links_to_the_package_of_a_deleted_function_are_good_for_their_time(client):
    name = functions.unique()
    functions.create(client, name, SOURCE.format(name))
    link = client.get_function(FunctionName=name)["Code"]["Location"]
    functions.delete(client, name)
    with urllib.request.urlopen(link, timeout=10) as answer:
        assert answer.read() == functions.source_package("python3.12", SOURCE.format(name))[0]
