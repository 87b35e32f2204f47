"""What those who start, balance and restart a process are told at the admin address."""

import json
import signal
import urllib.error
import urllib.request

from support import clients, functions
from support.server import wait_for


def asked(server, path):
    """Status and text."""
    try:
        with urllib.request.urlopen(f"{server.admin_url()}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def test_a_process_is_ready_until_it_is_told_to_stop(own_server):
    server = own_server().start()
    for path in ("/livez", "/startupz", "/health"):
        assert asked(server, path) == (200, "ok\n"), path
    status, text = asked(server, "/readyz")
    assert (status, json.loads(text)) == (200, {"ready": True, "reasons": []})
    client = clients.make(server)
    source = "import time\ndef handler(event, context):\n    print('begun', flush=True)\n    time.sleep(5)\n"
    name = functions.create(client, functions.unique("f"), source, Timeout=30)["FunctionName"]
    import threading

    invoking = threading.Thread(target=lambda: client.invoke(FunctionName=name))
    invoking.start()
    wait_for(lambda: server.metric("lambent_worker_environments") == 1)
    server.process.send_signal(signal.SIGTERM)
    status, text = wait_for(lambda: (found := asked(server, "/readyz"))[0] == 503 and found)
    assert json.loads(text) == {"ready": False, "reasons": [{"part": "process", "reason": "stopping"}]}
    assert asked(server, "/livez")[0] == asked(server, "/startupz")[0] == 200
    assert asked(server, "/health") == (503, "stopping\n")
    invoking.join()
    assert server.wait()[0] == 0
    server.finish()
