"""An app that runs shell commands: how the tests try things from inside a session.

`GET …/api` says that it is ready; `POST` runs the body with `sh -c` and answers its exit status
on the first line and its output after it.
"""

import signal
import socket
import socketserver
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path


class Probe(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b'{"version": "probe"}')

    def do_POST(self) -> None:
        command = self.rfile.read(int(self.headers["Content-Length"]))
        done = subprocess.run(  # noqa: PLW1510  its status is the answer
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
        )
        self._answer(b"%d\n" % done.returncode + done.stdout)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "hub"


class Door(socketserver.ThreadingMixIn, socketserver.BaseServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__("inherited", Probe)
        self.socket = socket.socket(fileno=3)
        self.request_queue_size = 5

    def fileno(self) -> int:
        return self.socket.fileno()

    def get_request(self) -> tuple[socket.socket, str]:
        return self.socket.accept()[0], "hub"

    def shutdown_request(self, request: socket.socket) -> None:
        request.close()


def asked_to_end(*_: object) -> None:
    """Leave a note: the tests look whether a session was asked before it was ended."""
    Path.home().joinpath("ended").write_text("asked to end")
    sys.exit()


signal.signal(signal.SIGTERM, asked_to_end)
Door().serve_forever()
