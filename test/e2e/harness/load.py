# SPDX-License-Identifier: Apache-2.0
"""Sends many HTTP requests: keep-alive connections with pipelining."""
import socket
import threading

from .wait import HANG_S


class Request:
    """The bytes of a request, and whether nginx closes the connection after
    its answer."""

    def __init__(self, raw, closes=False):
        self.raw = raw
        self.closes = closes


def get(target, *headers, method=b"GET", body=b""):
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: shop.example"]
    lines += headers
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return Request(b"\r\n".join(lines) + b"\r\n\r\n" + body)


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(HANG_S)
        self.file = self.socket.makefile("rb")

    def answer(self, has_body):
        """Read one answer and return its status.  Returns 0 if nginx closed
        the connection instead: it does not read the rest of a line that is too
        long."""
        try:
            status = int(self.file.readline().split()[1])
        except (ConnectionResetError, IndexError):
            return 0
        length = 0
        while (line := self.file.readline().strip()):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if has_body and length:
            self.file.read(length)
        return status

    def converse(self, requests):
        self.socket.sendall(b"".join(r.raw for r in requests))
        return [self.answer(not r.raw.startswith(b"HEAD")) for r in requests]

    def read_end(self):
        try:
            assert self.file.read() == b""
        except ConnectionResetError:
            pass

    def close(self):
        self.file.close()
        self.socket.close()


def _groups(requests, size):
    """Pipelines of at most `size` requests; a request that closes its
    connection is a pipeline of its own."""
    group = []
    for request in requests:
        if request.closes:
            yield from ([group] if group else [])
            yield [request]
            group = []
            continue
        group.append(request)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _send(port, requests, pipeline, statuses):
    connection = None
    for group in _groups(requests, pipeline):
        if connection is None:
            connection = Connection(port)
        statuses += connection.converse(group)
        if group[-1].closes:
            connection.read_end()
            connection.close()
            connection = None
    if connection:
        connection.close()


def send_requests(port, requests, connections=8, pipeline=16):
    """Send all requests, each connection its share.  Returns the
    statuses."""
    statuses = []
    failures = []

    def share(index):
        try:
            _send(port, requests[index::connections], pipeline, statuses)
        except BaseException as failure:  # raised again below
            failures.append(failure)
    threads = [threading.Thread(target=share, args=(index,))
               for index in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return statuses
