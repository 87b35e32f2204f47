"""Packages of functions, and deploying them."""

import io
import textwrap
import time
import uuid
import zipfile

ROLE = "arn:aws:iam::000000000000:role/service-role/tester"

# The file a runtime's source goes to, and the handler that names it.
PLACES = {
    "python": ("index.py", "index.handler"),
    "nodejs": ("index.mjs", "index.handler"),
    "provided": ("bootstrap", "unused"),
}


def unique(prefix="f"):
    """A name no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def package(files):
    """A zip of `{path: text or bytes}`; every file may be executed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, date_time=(2024, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100755 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return buffer.getvalue()


def source_package(runtime, source):
    """The package of a function whose code is one text."""
    family = next(family for family in PLACES if runtime.startswith(family))
    path, handler = PLACES[family]
    return package({path: textwrap.dedent(source).lstrip("\n")}), handler


def create(client, name, source, runtime="python3.12", wait=True, **settings):
    """Creates a function from its source (a text, a dict of files, or a zip) and waits until it
    can be invoked."""
    handler = None
    if isinstance(source, str):
        source, handler = source_package(runtime, source)
    elif isinstance(source, dict):
        source = package(source)
    settings.setdefault("Handler", handler or "index.handler")
    settings.setdefault("Role", ROLE)
    answer = client.create_function(
        FunctionName=name, Runtime=runtime, Code={"ZipFile": source}, **settings
    )
    if wait:
        until_active(client, name)
    return answer


def until_active(client, name, **qualifier):
    """Waits as tools do, only more impatiently."""
    _wait(client, "function_active_v2", FunctionName=name, **qualifier)


def until_updated(client, name, **qualifier):
    """Waits until the last update is through."""
    _wait(client, "function_updated_v2", FunctionName=name, **qualifier)


def _wait(client, waiter, **arguments):
    client.get_waiter(waiter).wait(
        WaiterConfig={"Delay": 0.02, "MaxAttempts": 1000}, **arguments
    )


def delete(client, name):
    """Deletes a function, whatever state it is in; it may be gone."""
    deadline = time.monotonic() + 10
    while True:
        try:
            client.delete_function(FunctionName=name)
            return
        except client.exceptions.ResourceNotFoundException:
            return
        except client.exceptions.ResourceConflictException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
