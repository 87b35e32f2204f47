"""A way to a server on which a client is killed: between what it asked for and the answer."""

import http.client
import http.server
import threading
import urllib.parse


class Passage:
    """Passes requests on to a server. At the first that `when(method, path)` picks, `kill()` is
    called once the server has done it; its answer goes nowhere."""

    def __init__(self, server, when, kill):
        passage = self
        upstream = urllib.parse.urlsplit(server.url).netloc

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length)
                connection = http.client.HTTPConnection(upstream, timeout=30)
                # As it came: the signature is for the name by which the client knows us.
                headers = dict(self.headers.items())
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
                connection.close()
                if not passage.killed and when(self.command, self.path):
                    passage.killed = True
                    kill()
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_DELETE = handle_one

            def log_message(self, *_):
                pass

        self.killed = False
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
