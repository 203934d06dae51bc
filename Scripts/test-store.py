"""An S3 on this machine, for tests: moto's, with the faults that networks and stores have.

    python Scripts/test-store.py [--faults] [--no-conditions]

Prints its port, and serves until its standard input ends. It has one bucket, "loopy".

--faults: of requests, some are answered with 503, some with half of the bytes that they promise, and some lose their
connection, before they are done or after it. --no-conditions: If-None-Match is ignored, as old stores do.
"""

import itertools
import os
import socket
import sys
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class Store:
    def __init__(self, faults, conditions):
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.faults, self.conditions = faults, conditions
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()

    def answer(self, environ):
        """One request at a time, and with its whole body: a condition and what depends on it are one step."""
        answer = []
        with self.lock:
            body = self.moto(environ, lambda *head: answer.append(head))
            return answer[0][:2], b"".join(body)

    def __call__(self, environ, start_response):
        if not self.conditions:
            environ.pop("HTTP_IF_NONE_MATCH", None)
        number = next(self.numbers) if self.faults else 0
        lose = lambda: environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        if number % 41 == 5:
            start_response("503 Slow Down", [("Content-Type", "application/xml")])
            return [BUSY]
        if number % 61 == 8:
            lose()
        head, body = self.answer(environ)
        if number % 71 == 9:
            lose()
        start_response(*head)
        if environ["REQUEST_METHOD"] == "GET" and number % 29 == 3:
            return [body[: len(body) // 2]]
        return [body]


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


def main():
    os.environ.update(AWS_ACCESS_KEY_ID="loopy", AWS_SECRET_ACCESS_KEY="loopy")
    store = Store("--faults" in sys.argv, "--no-conditions" not in sys.argv)
    server = make_server("127.0.0.1", 0, store, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    import boto3

    boto3.client(
        "s3", endpoint_url=f"http://127.0.0.1:{server.port}", region_name="us-east-1"
    ).create_bucket(Bucket="loopy")
    print(server.port, flush=True)
    sys.stdin.read()


main()
