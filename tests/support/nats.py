"""Real NATS servers that keep a cluster's tables, journals and queues."""

import pathlib
import socket
import subprocess

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def free_port(host="127.0.0.1"):
    """A port that nobody has at this moment."""
    with socket.socket() as sock:
        sock.bind((host, 0))
        return sock.getsockname()[1]


class Nats:
    """That many servers in a folder; more than one are a cluster."""

    def __init__(self, folder, count=1):
        tool = subprocess.run([REPOSITORY / "tools/nats-server"], check=True, capture_output=True, text=True)
        self.binary = tool.stdout.strip()
        self.count = count
        ports = [(free_port(), free_port()) for _ in range(count)]
        self.addresses = [f"nats://127.0.0.1:{port}" for port, _ in ports]
        self.configs = []
        for number, (port, route) in enumerate(ports):
            text = f"""
server_name: n{number}
listen: "127.0.0.1:{port}"
max_payload: 8MB
log_file: "{folder}/nats-{number}.log"
jetstream {{ store_dir: "{folder}/nats-{number}", sync_interval: always, max_file_store: 8GB }}
accounts {{
  $SYS {{ users: [{{ user: system, password: system }}] }}
  LAMBENT {{ jetstream: enabled, users: [{{ user: lambent, password: lambent }}] }}
}}
"""
            if count > 1:
                routes = ", ".join(f'"nats://127.0.0.1:{other}"' for _, other in ports)
                text += f'cluster {{ name: test, listen: "127.0.0.1:{route}", routes: [{routes}] }}\n'
            path = pathlib.Path(folder, f"nats-{number}.conf")
            path.write_text(text)
            self.configs.append(path)
        self.processes = [self._spawn(number) for number in range(count)]

    def _spawn(self, number):
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", self.binary, "--config", str(self.configs[number])],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def settings(self):
        """The section of the configuration that names them."""
        servers = ", ".join(f'"{address}"' for address in self.addresses)
        return f"""
[cluster.nats]
servers = [{servers}]
user = "lambent"
password = "lambent"
system_user = "system"
system_password = "system"
replicas = {self.count}
"""

    def kill(self, number):
        """Ends one as a power cut would."""
        self.processes[number].kill()
        self.processes[number].wait()

    def restart(self, number):
        """Starts it again."""
        self.processes[number] = self._spawn(number)

    def stop(self):
        """Ends all."""
        for process in self.processes:
            process.kill()
            process.wait()
