"""The way out, where the operator opens one: the world and what is named, nothing else."""

import json

from support import clients, functions, sink

LOOK = f"""{sink.GATEWAY}
    import urllib.request
    def handler(event, context):
        try:
            with urllib.request.urlopen(f"http://{{gateway()}}:{{event}}/", timeout=2) as answer:
                return answer.read().decode()
        except OSError as error:
            return type(error).__name__
"""


def test_a_function_reaches_what_the_operator_allows(own_server, neighbour):
    server = own_server(sink.nat(neighbour)).start()
    client = clients.make(server)
    functions.create(client, "f", LOOK, Timeout=10)

    def at(port):
        answer = client.invoke(FunctionName="f", Payload=json.dumps(port).encode())
        return json.loads(answer["Payload"].read())

    assert at(neighbour) == "hello"
    assert at(22) in ("URLError", "TimeoutError", "ConnectionRefusedError")
    # Lambent itself is not allowed unless it is named.
    assert at(int(server.url.rpartition(":")[2])) != "hello"
    server.finish()
