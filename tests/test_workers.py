"""The one worker of a server that is a single process."""

import json

from conftest import CONFIG, OTHER_ACCOUNT

from support import signing
from support.deploying import Commands


def test_it_is_seen_by_the_operator_alone_and_is_not_drained(own_server):
    server = own_server(CONFIG).start()
    lambent = Commands(server)
    status, out, err = lambent("workers", "--json")
    assert status == 0, err
    (worker,) = json.loads(out)["Workers"]
    assert worker["State"] == "ready" and worker["Busy"] == worker["Idle"] == 0
    assert worker["Host"] and worker["MemoryMb"] > 0 and worker["SilentMs"] < 60_000
    status, out, _ = lambent("workers")
    assert status == 0 and worker["Host"] in out
    for more in ((), ("--undo",), ("--no-wait",)):
        status, out, err = lambent("drain", worker["Host"], *more)
        assert (status, out) == (1, "")
        assert "one process with one worker" in err
    assert lambent("drain", "h", "--undo", "--no-wait")[0] == 2
    other = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), OTHER_ACCOUNT))
    for arguments in (("workers",), ("drain", worker["Host"])):
        status, out, err = lambent(*arguments, **other)
        assert (status, out) == (1, "") and "AccessDeniedException" in err
    for method, path in (("POST", "/lambent/workers"), ("GET", "/lambent/drains/h"),
                         ("PUT", "/lambent/drains/a%2Fb"), ("PUT", "/lambent/drains/")):  # fmt: skip
        status, _, body = signing.request(server, method, path)
        assert status == 404, body
    assert signing.send(server, "GET", "/lambent/workers", {})[0] == 403
    server.finish()
