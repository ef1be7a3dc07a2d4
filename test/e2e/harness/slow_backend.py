# SPDX-License-Identifier: Apache-2.0
"""A server for requests that are in flight for as long as a test wants."""
import socket
import threading


class SlowBackend:
    """Answers no request until the test calls answer_all().  It takes one
    request on each connection."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.socket.getsockname()[1]
        self.waiting = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection = self.socket.accept()[0]
            connection.recv(65536)
            self.waiting.append(connection)

    def answer_all(self):
        for one in self.waiting:
            one.sendall(b"HTTP/1.0 204 No Content\r\n\r\n")
            one.close()
        self.waiting.clear()
