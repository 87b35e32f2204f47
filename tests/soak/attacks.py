"""What a hostile account does, all at once and again and again.

Each attack is a class: it makes what it needs, and `once` does the harm one time. An attack that is
refused counts as well as one that is let in; what matters is what the neighbour sees of it.
"""

import http.client
import io
import itertools
import json
import socket
import threading
import time
import urllib.parse
import zipfile

from support import functions, signing

# Hostile clients come from an address of their own, as they would come from a machine of their own.
ADDRESS = "127.0.0.2"
# A function's time is short, so that each attack comes round often.
TIMEOUT_S = 10
ROLE = "arn:aws:iam::222222222222:role/any"


class Attack:
    """One way to do harm. `account` has clients and keys of the hostile account."""

    def __init__(self, account):
        self.account = account
        self.name = functions.unique(type(self).__name__.lower())
        self.times = 0
        self.refused = 0

    def prepare(self):
        """Makes what `once` needs."""

    def once(self):
        """Does the harm one time."""
        raise NotImplementedError

    def run(self, stop):
        """Again and again until told to stop. Refusals and broken connections are expected."""
        while not stop.is_set():
            self.times += 1
            try:
                self.once()
            except Exception:  # noqa: BLE001: whatever a client raises is a refusal
                self.refused += 1
                stop.wait(0.1)

    def create(self, source, **settings):
        """A function of the hostile account."""
        settings = {"Timeout": TIMEOUT_S, "MemorySize": 128, "Role": ROLE, **settings}
        return functions.create(self.account.client, self.name, source, **settings)

    def invoke(self, **arguments):
        """One invoke; its result does not matter."""
        return self.account.client.invoke(FunctionName=self.name, **arguments)["Payload"].read()


class Function(Attack):
    """An attack that is the code of a function."""

    SOURCE = ""
    SETTINGS = {}

    def prepare(self):
        self.create(self.SOURCE, **self.SETTINGS)

    def once(self):
        self.invoke(Payload=b"{}")


class InitOutput(Function):
    """Fills with output the time in which extensions could subscribe."""

    SOURCE = """
        import os
        line = bytes(256 * 1024 - 1) + b'\\n'
        for _ in range(500):
            os.write(1, line)
        os._exit(1)
    """


class Logs(Function):
    """Writes as much log as it can."""

    SOURCE = """
        import os
        def handler(event, context):
            for _ in range(200):
                os.write(1, b'x' * 100_000 + b'\\n')
    """


class TemporaryFiles(Function):
    """Fills /tmp."""

    SETTINGS = {"EphemeralStorage": {"Size": 1024}}
    SOURCE = """
        def handler(event, context):
            with open('/tmp/full', 'wb') as file:
                for _ in range(1000):
                    file.write(bytes(1 << 20))
    """


class Processes(Function):
    """Makes processes until it cannot make any more."""

    SOURCE = """
        import os, time
        def handler(event, context):
            while True:
                try:
                    if os.fork() == 0:
                        time.sleep(60)
                except OSError:
                    time.sleep(0.05)
    """


class Buffers(Function):
    """Fills receive buffers of every kind of socket with what nobody reads."""

    SOURCE = """
        import os, socket, struct
        def netlink():
            s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
            s.send(struct.pack('=LHHLL', 20, 18, 0x301, 1, 0) + bytes(4))
            return s
        def datagrams():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind(('127.0.0.1', 0))
            for _ in range(200):
                s.sendto(bytes(60_000), s.getsockname())
            return s
        def stream():
            with socket.create_server(('127.0.0.1', 0)) as server:
                a = socket.create_connection(server.getsockname())
                b, _ = server.accept()
            a.setblocking(False)
            try:
                while True:
                    a.send(bytes(60_000))
            except OSError:
                return a, b
        def handler(event, context):
            for _ in range(3):
                if os.fork() == 0:
                    break
            kept = []
            for make in (netlink, datagrams, stream):
                try:
                    for _ in range(300):
                        kept.append(make())
                except OSError:
                    pass
            return len(kept)
    """


class Filters(Function):
    """Has the kernel compile system call filters."""

    SOURCE = """
        import ctypes, os, time
        libc = ctypes.CDLL(None)
        class Filter(ctypes.Structure):
            _fields_ = [('code', ctypes.c_ushort), ('jt', ctypes.c_ubyte), ('jf', ctypes.c_ubyte), ('k', ctypes.c_uint)]
        class Program(ctypes.Structure):
            _fields_ = [('len', ctypes.c_ushort), ('filter', ctypes.POINTER(Filter))]
        def handler(event, context):
            libc.prctl(38, 1, 0, 0, 0)
            many = (Filter * 4000)(*[Filter(0x20, 0, 0, 0)] * 3999, Filter(0x06, 0, 0, 0x7fff0000))
            program = Program(4000, many)
            return [libc.prctl(22, 2, ctypes.byref(program), 0, 0) for _ in range(7)]
    """


class Flows(Function):
    """Opens connections to the world without number."""

    SOURCE = """
        import socket, time
        def handler(event, context):
            end = time.monotonic() + 5
            number = 0
            while time.monotonic() < end:
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                for port in range(1, 500):
                    try:
                        s.sendto(b'x', ('198.51.100.%d' % (number % 250 + 2), port))
                    except OSError:
                        pass
                s.close()
                number += 1
            return number
    """


class SlowDeath(Function):
    """Has much to take down when it is killed."""

    SOURCE = """
        import mmap, os, time
        def handler(event, context):
            for _ in range(300):
                try:
                    if os.fork() == 0:
                        kept = [os.open('/dev/null', os.O_RDONLY) for _ in range(900)]
                        area = mmap.mmap(-1, 4 << 21)
                        area[0], area[2 << 21] = 1, 1
                        time.sleep(60)
                except OSError:
                    break
            time.sleep(60)
    """


class Headers(Function):
    """Answers by a function URL with more headers than any map takes."""

    SOURCE = """
        def handler(event, context):
            return {'statusCode': 200, 'headers': {f'h{n}': '' for n in range(40_000)}, 'body': ''}
    """

    def prepare(self):
        super().prepare()
        client = self.account.client
        url = client.create_function_url_config(FunctionName=self.name, AuthType="NONE")
        client.add_permission(
            FunctionName=self.name, StatementId="url", Action="lambda:InvokeFunctionUrl",
            Principal="*", FunctionUrlAuthType="NONE",
        )  # fmt: skip
        client.add_permission(
            FunctionName=self.name, StatementId="invoke", Action="lambda:InvokeFunction",
            Principal="*", InvokedViaFunctionUrl=True,
        )  # fmt: skip
        self.host = urllib.parse.urlsplit(url["FunctionUrl"]).netloc

    def once(self):
        connection = self.account.connect()
        connection.request("GET", "/", headers={"Host": self.host})
        connection.getresponse().read()
        connection.close()


class Events(Function):
    """Sends events that wait: the function may not run."""

    SOURCE = "def handler(event, context): pass\n"

    def prepare(self):
        super().prepare()
        self.account.client.put_function_concurrency(
            FunctionName=self.name, ReservedConcurrentExecutions=0
        )

    def once(self):
        self.invoke(InvocationType="Event", Payload=b'"' + b"x" * 1_000_000 + b'"')


class Folders(Attack):
    """Packages that are small and make very many folders."""

    def once(self):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for number in range(100):
                archive.writestr(f"{number}/" + "a/" * 1_500 + "x", b"")
        try:
            functions.create(
                self.account.client, self.name, buffer.getvalue(), wait=False, Role=ROLE
            )
            time.sleep(5)
        finally:
            functions.delete(self.account.client, self.name)


class Heads(Attack):
    """Connections whose heads do not end, and connections that say nothing."""

    def once(self):
        kept = []
        for number in range(300):
            one = socket.create_connection(self.account.address, 5, source_address=(ADDRESS, 0))
            kept.append(one)
            if number % 2:
                one.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
                one.settimeout(1)
                one.sendall(b"x" * 900_000)
        time.sleep(20)
        for one in kept:
            one.close()


class Bodies(Attack):
    """Large bodies, signed by nobody, that come a byte at a time."""

    def once(self):
        kept = []
        for _ in range(20):
            target, headers = signing.sign(
                self.account.server, "POST", "/2015-03-31/functions", b"{}", {},
                (self.account.keys[0], "no such secret"),
            )  # fmt: skip
            one = socket.create_connection(self.account.address, 5, source_address=(ADDRESS, 0))
            kept.append(one)
            head = f"POST {target} HTTP/1.1\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            head += f"Host: {self.account.address[0]}:{self.account.address[1]}\r\n"
            one.sendall(head.encode() + b"Content-Length: 60000000\r\n\r\n")
        for _ in range(10):
            for one in kept:
                one.sendall(b" ")
            time.sleep(2)
        for one in kept:
            one.close()


class SignedNames(Attack):
    """A header that is named as signed fifty thousand times."""

    def once(self):
        connection = self.account.connect()
        names = "host;" + ";".join(["x-large"] * 5_000)
        connection.request("GET", "/2015-03-31/functions", headers={
            "X-Large": "x" * 20_000,
            "X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
            "Authorization": f"AWS4-HMAC-SHA256 Credential={self.account.keys[0]}/"
            f"{time.strftime('%Y%m%d', time.gmtime())}/us-east-1/lambda/aws4_request, "
            f"SignedHeaders={names}, Signature={'0' * 64}",
        })  # fmt: skip
        connection.getresponse().read()
        connection.close()


class Roles(Attack):
    """Roles, policies and log groups without number."""

    numbers = itertools.count()

    def once(self):
        number = next(self.numbers)
        trust = {"Version": "2012-10-17", "Statement": []}
        trust["Statement"] = [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}]
        self.account.logs.create_log_group(logGroupName=f"/soak/{number}")
        self.account.iam.create_role(
            RoleName=f"soak-{number}", AssumeRolePolicyDocument=json.dumps(trust),
            Description="x" * 900,
        )  # fmt: skip


ALL = (
    InitOutput, Logs, TemporaryFiles, Processes, Buffers, Filters, Flows, SlowDeath, Headers,
    Events, Folders, Heads, Bodies, SignedNames, Roles,
)  # fmt: skip


class Account:
    """The hostile account: its keys and clients."""

    def __init__(self, server, keys, make_client):
        self.server, self.keys = server, keys
        self.client = make_client(server, keys=keys, strict=False)
        self.logs = make_client(server, "logs", keys=keys, strict=False)
        self.iam = make_client(server, "iam", keys=keys, strict=False)
        parts = urllib.parse.urlsplit(server.url)
        self.address = (parts.hostname, parts.port)

    def connect(self):
        """A connection from the address of its own."""
        return http.client.HTTPConnection(*self.address, timeout=60, source_address=(ADDRESS, 0))

    def clean(self):
        """Deletes what it has made."""
        for page in self.client.get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                functions.delete(self.client, function["FunctionName"])
        for page in self.logs.get_paginator("describe_log_groups").paginate():
            for group in page["logGroups"]:
                self.logs.delete_log_group(logGroupName=group["logGroupName"])
        for page in self.iam.get_paginator("list_roles").paginate():
            for role in page["Roles"]:
                if role["RoleName"].startswith("soak-"):
                    self.iam.delete_role(RoleName=role["RoleName"])


class Hostility:
    """All attacks, each in a thread."""

    def __init__(self, account):
        self.attacks = [make(account) for make in ALL]
        self.stop = threading.Event()
        self.threads = [
            threading.Thread(target=attack.run, args=(self.stop,)) for attack in self.attacks
        ]

    def start(self):
        """Prepares all, then begins all."""
        for attack in self.attacks:
            attack.prepare()
        for thread in self.threads:
            thread.start()

    def end(self):
        """Stops all: what each did as `{attack: (times, refused)}`."""
        self.stop.set()
        for thread in self.threads:
            thread.join()
        return {type(one).__name__: (one.times, one.refused) for one in self.attacks}
