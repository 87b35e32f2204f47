"""Code and layers by bucket and key, read from a store that speaks S3's protocol."""

import http.server
import json
import ssl
import subprocess
import threading

import pytest
from botocore.exceptions import ClientError

from support import clients, functions
from support.moto import Moto

ANSWER = "def handler(event, context): return {!r}\n"
STORE = '[aws.services]\ns3 = "{}"\n'
KEYS = '[aws.keys]\naccess_key_id = "{}"\nsecret_access_key = "{}"\n'
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject*", "Resource": "*"}],
}


@pytest.fixture(scope="module")
def moto():
    """Where the objects are."""
    moto = Moto()
    yield moto
    moto.stop()


@pytest.fixture(scope="module")
def s3(moto):
    """A bucket's owner."""
    s3 = moto.client("s3")
    s3.create_bucket(Bucket="packages")
    return s3


@pytest.fixture(scope="module")
def buckets(moto):
    """A server of our own that reads from there."""
    from support.server import Server

    config = STORE.format(moto.url) + KEYS.format("test", "test")
    server = Server(config).start()
    yield clients.make(server)
    server.finish()


def package(answer):
    return functions.package({"index.py": ANSWER.format(answer)})


def create(client, code, **settings):
    name = functions.unique()
    answer = client.create_function(
        FunctionName=name, Runtime="python3.12", Role=functions.ROLE, Handler="index.handler",
        Code=code, **settings,
    )  # fmt: skip
    functions.until_active(client, name)
    return name, answer


def invoke(client, name, **arguments):
    return json.loads(client.invoke(FunctionName=name, **arguments)["Payload"].read())


def refusal(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_function_is_made_and_changed_from_objects(buckets, s3):
    s3.put_object(Bucket="packages", Key="dir/first one ü.zip", Body=package("first"))
    s3.put_object(Bucket="packages", Key="second.zip", Body=package("second"))
    name, answer = create(buckets, {"S3Bucket": "packages", "S3Key": "dir/first one ü.zip"})
    assert answer["CodeSize"] == len(package("first"))
    assert invoke(buckets, name) == "first"
    told = buckets.update_function_code(
        FunctionName=name, S3Bucket="packages", S3Key="second.zip", Publish=True
    )
    assert told["Version"] == "1"
    functions.until_updated(buckets, name)
    assert invoke(buckets, name) == "second"
    functions.delete(buckets, name)


def test_an_object_has_versions(buckets, s3):
    s3.create_bucket(Bucket="versioned")
    s3.put_bucket_versioning(
        Bucket="versioned", VersioningConfiguration={"Status": "Enabled"}
    )
    first = s3.put_object(Bucket="versioned", Key="f.zip", Body=package("first"))["VersionId"]
    s3.put_object(Bucket="versioned", Key="f.zip", Body=package("second"))
    place = {"S3Bucket": "versioned", "S3Key": "f.zip"}
    old, _ = create(buckets, {**place, "S3ObjectVersion": first})
    new, _ = create(buckets, place)
    assert (invoke(buckets, old), invoke(buckets, new)) == ("first", "second")
    functions.delete(buckets, old)
    functions.delete(buckets, new)


def test_a_layer_is_made_from_an_object(buckets, s3):
    layer = functions.package({"python/layered.py": "NAME = 'from the bucket'"})
    s3.put_object(Bucket="packages", Key="layer.zip", Body=layer)
    answer = buckets.publish_layer_version(
        LayerName="l", Content={"S3Bucket": "packages", "S3Key": "layer.zip"}
    )
    assert answer["Content"]["CodeSize"] == len(layer)
    source = functions.package(
        {"index.py": "import layered\ndef handler(event, context): return layered.NAME\n"}
    )
    name, _ = create(buckets, {"ZipFile": source}, Layers=[answer["LayerVersionArn"]])
    assert invoke(buckets, name) == "from the bucket"
    functions.delete(buckets, name)


def test_more_than_fifty_megabytes_come_from_a_bucket(buckets, s3):
    import os

    noise = os.urandom(60_000_000)
    body = functions.package({"index.py": ANSWER.format("large"), "noise": noise})
    assert len(body) > 52_428_800
    s3.put_object(Bucket="packages", Key="large.zip", Body=body)
    name, answer = create(buckets, {"S3Bucket": "packages", "S3Key": "large.zip"})
    assert answer["CodeSize"] == len(body)
    assert invoke(buckets, name) == "large"
    functions.delete(buckets, name)


@pytest.mark.parametrize(
    "place, expected",
    [
        ({"S3Bucket": "packages", "S3Key": "nothing.zip"},
         "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified"
         " key does not exist."),
        ({"S3Bucket": "no-such-bucket", "S3Key": "f.zip"},
         "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The"
         " specified bucket does not exist"),
        ({"S3Bucket": "packages"}, "Please provide both S3Bucket and S3Key."),
        ({"S3Bucket": "packages", "S3Key": "text"}, "Could not unzip uploaded file."),
        ({"S3Bucket": "packages", "S3Key": "bomb.zip"},
         "Unzipped size must be smaller than 262144000 bytes"),
        ({"S3Bucket": "packages", "S3Key": "text", "ZipFile": b"x"},
         "Please do not provide other FunctionCode parameters when providing a ZipFile."),
    ],
)  # fmt: skip
def test_objects_that_are_no_packages_are_refused(buckets, s3, place, expected):
    s3.put_object(Bucket="packages", Key="text", Body=b"no zip")
    bomb = functions.package({f"zeros-{i}": b"\0" * 90_000_000 for i in range(3)})
    s3.put_object(Bucket="packages", Key="bomb.zip", Body=bomb)
    name = functions.unique()
    code, message = refusal(
        buckets.create_function, FunctionName=name, Runtime="python3.12", Role=functions.ROLE,
        Handler="index.handler", Code=place,
    )  # fmt: skip
    assert code == "InvalidParameterValueException"
    assert message.startswith(expected)
    assert refusal(buckets.get_function, FunctionName=name)[0] == "ResourceNotFoundException"


def test_signed_calls_are_let_in_and_others_are_not(own_server):
    """moto verifies signatures once its first calls are over."""
    moto = Moto(unsigned=6)
    try:
        iam, s3 = moto.client("iam"), moto.client("s3")
        iam.create_user(UserName="reader")
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        iam.put_user_policy(
            UserName="reader", PolicyName="p", PolicyDocument=json.dumps(POLICY)
        )
        s3.create_bucket(Bucket="locked")
        s3.put_object(Bucket="locked", Key="a b/f.zip", Body=package("signed"))
        s3.put_object(Bucket="locked", Key="plain.zip", Body=package("signed"))
        place = {"S3Bucket": "locked", "S3Key": "a b/f.zip"}
        store = STORE.format(moto.url)
        known = KEYS.format(key["AccessKeyId"], key["SecretAccessKey"])
        server = own_server(store + known).start()
        client = clients.make(server)
        name, _ = create(client, place)
        assert invoke(client, name) == "signed"
        server.finish()
        wrong = KEYS.format(key["AccessKeyId"], "wrong" * 8)
        server = own_server(store + wrong).start()
        code, message = refusal(
            clients.make(server).create_function, FunctionName="f", Runtime="python3.12",
            Role=functions.ROLE, Handler="index.handler", Code=place,
        )  # fmt: skip
        assert code in ("InvalidParameterValueException", "AccessDeniedException")
        assert "S3 Error Code: SignatureDoesNotMatch" in message
        server.finish()
    finally:
        moto.stop()


def test_who_may_not_read_an_object_makes_no_function_of_it(own_server, moto, s3):
    """The store sees the operator's key, or nobody: so the caller's own rights are asked first."""
    s3.put_object(Bucket="packages", Key="open.zip", Body=package("open"))
    keys = KEYS.format("AKIAEXAMPLEOFOPERATOR", "s")
    other = '[[access_keys]]\nid = "AKIASECOND"\nsecret = "s"\naccount = "111122223333"\n'
    buckets = '[aws.buckets]\npackages = ["000000000000"]\n'
    server = own_server(other + STORE.format(moto.url) + keys + buckets).start()
    iam = clients.make(server, "iam")
    iam.create_user(UserName="maker")
    key = iam.create_access_key(UserName="maker")["AccessKey"]
    maker = clients.make(server, keys=(key["AccessKeyId"], key["SecretAccessKey"]))

    def may(*actions):
        allow = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        iam.put_user_policy(UserName="maker", PolicyName="p", PolicyDocument=document)

    def code_of(client):
        code, message = refusal(
            client.create_function, FunctionName="f", Runtime="python3.12", Role=functions.ROLE,
            Handler="index.handler", Code={"S3Bucket": "packages", "S3Key": "open.zip"},
        )  # fmt: skip
        assert "Your access has been denied by S3" in message, message
        return code

    may("lambda:*", "iam:PassRole")
    assert code_of(maker) == "AccessDeniedException"
    second = clients.make(server, keys=("AKIASECOND", "s"))
    role = "arn:aws:iam::111122223333:role/r"
    with_role = lambda **given: second.create_function(**{**given, "Role": role})  # noqa: E731
    assert refusal(
        with_role, FunctionName="f", Runtime="python3.12", Handler="index.handler",
        Code={"S3Bucket": "packages", "S3Key": "open.zip"},
    )[0] == "AccessDeniedException"  # fmt: skip
    may("lambda:*", "iam:PassRole", "s3:GetObject")
    name, _ = create(maker, {"S3Bucket": "packages", "S3Key": "open.zip"})
    assert invoke(maker, name) == "open"
    server.finish()


def test_what_is_not_ours_to_read_is_refused_in_lambdas_words(own_server, moto, s3):
    s3.put_object(Bucket="packages", Key="private.zip", Body=package("private"))
    server = own_server(STORE.format(moto.url)).start()
    code, message = refusal(
        clients.make(server).create_function, FunctionName="f", Runtime="python3.12",
        Role=functions.ROLE, Handler="index.handler",
        Code={"S3Bucket": "packages", "S3Key": "private.zip"},
    )  # fmt: skip
    assert code == "AccessDeniedException"
    assert message == (
        "Your access has been denied by S3, please make sure your request credentials have"
        " permission to GetObject for packages/private.zip. S3 Error Code: AccessDenied. S3 Error"
        " Message: Access Denied"
    )
    server.finish()


def test_without_a_store_it_says_so(client):
    code, message = refusal(
        client.create_function, FunctionName="f", Runtime="python3.12", Role=functions.ROLE,
        Handler="index.handler", Code={"S3Bucket": "bucket", "S3Key": "key"},
    )  # fmt: skip
    assert code == "InvalidParameterValueException"
    assert message.startswith("Code cannot be read from S3 here")


def test_a_store_is_spoken_to_over_tls(own_server, tmp_path, monkeypatch):
    certificate = certify(tmp_path)
    body = package("over TLS")

    class Store(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    store = http.server.HTTPServer(("127.0.0.1", 0), Store)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    store.socket = context.wrap_socket(store.socket, server_side=True)
    thread = threading.Thread(target=store.serve_forever)
    thread.start()
    try:
        config = STORE.format(f"https://127.0.0.1:{store.server_port}")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        server = own_server(config).start()
        client = clients.make(server)
        name, _ = create(client, {"S3Bucket": "packages", "S3Key": "f.zip"})
        assert invoke(client, name) == "over TLS"
        server.finish()
    finally:
        store.shutdown()
        thread.join()
        store.server_close()


def certify(folder):
    """A file with a key and a certificate of 127.0.0.1, which vouches for itself."""
    place = folder / "certificate.pem"
    key = folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", place, "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"],
        check=True, capture_output=True,
    )  # fmt: skip
    place.write_text(place.read_text() + key.read_text())
    return place
