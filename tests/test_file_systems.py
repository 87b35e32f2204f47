"""Functions that share a folder of the machine as their file system."""

import contextlib
import os
import pathlib
import stat

import pytest
from botocore.exceptions import ClientError

from support import clients, functions
from support.server import Server

VPC = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
UID, GID = 4242, 4343
# What each access point of the server stands for.
POINTS = {"shared": 1, "reading": 2, "absent": 3, "linked": 4, "other": 5}


def point(name, account="000000000000"):
    return (
        f"arn:aws:elasticfilesystem:us-east-1:{account}:access-point/fsap-{POINTS[name]:017x}"
    )


class Shared:
    """A server with file systems, a client of it, and their folder."""

    def __init__(self, server, folder):
        self.server, self.folder = server, folder
        self.client = clients.make(server)

    def deploy(self, source, system, path="/mnt/shared", **settings):
        name = functions.unique("fs")
        functions.create(
            self.client, name, source, VpcConfig=VPC,
            FileSystemConfigs=[{"Arn": point(system), "LocalMountPath": path}], **settings,
        )  # fmt: skip
        return name


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared").resolve()
    for name in ("files", "outside"):
        (folder / name).mkdir()
    os.chown(folder / "files", UID, GID)
    (folder / "link").symlink_to("/etc")
    table = f"""
[[access_keys]]
id = "AKIATESTSOFANOTHERAC"
secret = "secret-of-another-account"
account = "111122223333"

[file_systems."{point("shared")}"]
path = "{folder}/files"

[file_systems."{point("reading")}"]
path = "{folder}/files"
read_only = true

[file_systems."{point("absent")}"]
path = "{folder}/absent"

[file_systems."{point("linked")}"]
path = "{folder}/files/nested"
uid = {UID}
gid = {GID}
"""
    with contextlib.ExitStack() as stack:
        server = Server(table)
        stack.callback(server.abandon)
        yield Shared(server.start(), folder)
        server.finish()
        assert str(folder) not in pathlib.Path("/proc/self/mountinfo").read_text()


WRITER = """
    import os
    def handler(event, context):
        with open('/mnt/shared/' + event['name'], 'a') as file:
            file.write(event['text'])
        return sorted(os.listdir('/mnt/shared'))
"""
READER = """
    import os
    def handler(event, context):
        path = '/mnt/in.put/' + event['name']
        status = os.stat(path)
        said = {'text': open(path).read(), 'owner': [status.st_uid, status.st_gid]}
        for attempt in (lambda: open(path, 'a'), lambda: os.unlink(path), lambda: os.mkdir(path + '-')):
            try:
                attempt()
            except OSError as error:
                said.setdefault('errors', []).append(error.errno)
        return said
"""


def refusal(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    response = refused.value.response
    error = response["Error"]
    return response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


def test_functions_share_files(shared, invoke):
    name = functions.unique("file")
    writer = shared.deploy(WRITER, "shared")
    reader = shared.deploy(READER, "reading", "/mnt/in.put")
    answer = invoke(writer, {"name": name, "text": "one,"}, client=shared.client)
    assert name in answer.json
    seen = {"text": "one,", "owner": [993, 990], "errors": [30, 30, 30]}
    assert invoke(reader, {"name": name}, client=shared.client).json == seen
    # The other way round, and past the end of the environment that wrote it.
    another = shared.deploy(WRITER, "shared")
    functions.delete(shared.client, writer)
    invoke(another, {"name": name, "text": "two"}, client=shared.client)
    assert invoke(reader, {"name": name}, client=shared.client).json["text"] == "one,two"
    file = shared.folder / "files" / name
    assert (file.stat().st_uid, file.stat().st_gid) == (UID, GID)
    config = shared.client.get_function_configuration(FunctionName=reader)
    assert config["FileSystemConfigs"] == [
        {"Arn": point("reading"), "LocalMountPath": "/mnt/in.put"}
    ]


def test_a_version_keeps_its_file_system_and_latest_can_lose_it(shared, invoke):
    name = shared.deploy("""
        import os
        def handler(event, context):
            return os.listdir('/mnt')
    """, "shared")
    client = shared.client
    assert invoke(name, client=client).json == ["shared"]
    version = client.publish_version(FunctionName=name)["Version"]
    functions.until_active(client, name, Qualifier=version)
    client.update_function_configuration(
        FunctionName=name, FileSystemConfigs=[], VpcConfig={"SubnetIds": [], "SecurityGroupIds": []}
    )
    functions.until_updated(client, name)
    assert client.get_function_configuration(FunctionName=name).get("FileSystemConfigs", []) == []
    assert invoke(name, client=client).json == []
    assert invoke(name, client=client, Qualifier=version).json == ["shared"]


HOSTILE = """
    import ctypes, errno, os, stat
    libc = ctypes.CDLL(None, use_errno=True)
    def attempt(function, *args):
        try:
            return ['ok', str(function(*args))]
        except OSError as error:
            return errno.errorcode[error.errno]
    def call(function, *args):
        return ['ok'] if function(*args) >= 0 else errno.errorcode[ctypes.get_errno()]
    def handler(event, context):
        here = '/mnt/shared/' + event['folder']
        os.mkdir(here)
        os.symlink(event['secret'], here + '/link')
        os.symlink('../' * 20 + event['secret'], here + '/up')
        os.symlink('/', here + '/root')
        open(here + '/mine', 'w').close()
        open(here + '/program', 'w').write('#!/bin/sh\\nid -u')
        os.chmod(here + '/program', 0o755)
        return {
            'link': attempt(open, here + '/link'),
            'up': attempt(open, here + '/up'),
            'dots': attempt(open, '/mnt/shared/..' + '/..' * 20 + event['secret']),
            'root': attempt(os.listdir, here + '/root' + os.path.dirname(event['secret'])),
            'device': attempt(os.mknod, here + '/disk', stat.S_IFBLK | 0o666, os.makedev(8, 0)),
            'give': attempt(os.chown, here + '/mine', 0, 0),
            'remount': call(libc.mount, None, b'/mnt/shared', None, 32 | 2, None),
            'unmount': call(libc.umount2, b'/mnt/shared', 2),
            'move': call(libc.mount, b'/mnt/shared', b'/tmp', None, 8192, None),
            'beside': attempt(os.mkdir, '/mnt/more'),
            'replace': attempt(os.rename, '/mnt/shared', '/mnt/x'),
            'user': os.popen(here + '/program').read().strip(),
        }
"""


def test_a_hostile_function_stays_in_its_folder(shared, invoke):
    secret = shared.folder / "outside" / "secret"
    secret.write_text("the machine's own")
    name = shared.deploy(HOSTILE, "shared")
    answer = invoke(
        name, {"folder": functions.unique("hostile"), "secret": str(secret)}, client=shared.client
    )
    said = answer.json
    assert said.pop("user") == "993"
    assert all(isinstance(word, str) for word in said.values()), said
    assert not (set(said.values()) - {"ENOENT", "EPERM", "EACCES", "EROFS", "ENOSYS"}), said


def test_a_setuid_program_in_a_shared_folder_has_no_effect(shared, invoke):
    program = shared.folder / "files" / functions.unique("id")
    program.write_bytes(pathlib.Path("/usr/bin/id").read_bytes())
    program.chmod(0o4755)
    assert program.stat().st_mode & stat.S_ISUID
    name = shared.deploy("""
        import subprocess
        def handler(event, context):
            return subprocess.check_output([event, '-u'], text=True).strip()
    """, "shared")
    assert invoke(name, f"/mnt/shared/{program.name}", client=shared.client).json == "993"


def test_a_folder_that_is_not_there_is_a_failed_mount(shared, invoke):
    name = shared.deploy("def handler(event, context):\n    return 'ran'\n", "absent")
    status, code, message = refusal(shared.client.invoke, FunctionName=name)
    assert (status, code) == (403, "EFSMountFailureException")
    assert point("absent") in message
    assert str(shared.folder) not in message
    (shared.folder / "absent").mkdir()
    assert invoke(name, client=shared.client).json == "ran"


def test_a_link_that_a_function_made_is_not_followed(shared, invoke):
    outer = shared.deploy("""
        import os
        def handler(event, context):
            return os.symlink('/etc', '/mnt/shared/nested')
    """, "shared")
    assert invoke(outer, client=shared.client).error is None
    name = shared.deploy("def handler(event, context):\n    return 'ran'\n", "linked")
    status, code, _ = refusal(shared.client.invoke, FunctionName=name)
    assert (status, code) == (403, "EFSMountFailureException")
    (shared.folder / "files" / "nested").unlink()


def test_an_access_point_is_its_accounts(shared):
    keys = ("AKIATESTSOFANOTHERAC", "secret-of-another-account")
    other = clients.make(shared.server, keys=keys)
    role = functions.ROLE.replace("000000000000", "111122223333")
    for system, client, settings in (
        ("other", shared.client, {}),
        ("shared", other, {"Role": role}),
    ):
        status, code, message = refusal(
            functions.create, client=client, name=functions.unique("fs"),
            source="def handler(event, context): pass\n", VpcConfig=VPC,
            FileSystemConfigs=[{"Arn": point(system), "LocalMountPath": "/mnt/a"}], **settings,
        )  # fmt: skip
        assert (status, code) == (400, "InvalidParameterValueException")
        assert message.startswith(f"Access point {point(system)} is not one of this installation")


def test_a_path_over_a_link_is_no_file_system(own_server, tmp_path):
    (tmp_path / "link").symlink_to("/etc")
    server = own_server(f'[file_systems."{point("shared")}"]\npath = "{tmp_path}/link"\n')
    with pytest.raises(RuntimeError, match="leads through a symbolic link to /etc; name that"):
        server.start()
