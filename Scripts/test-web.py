"""Servers of files on this machine, for tests, with what the web does to downloads.

    python3 Scripts/test-web.py FOLDER LOG

Prints its port, and serves the files of FOLDER until its standard input ends. Every request is a line of LOG: the
path, the range that was asked for, the status. The first part of a path says what happens:

/plain/FILE      the file, with ranges and an entity tag
/drop/FILE       the same, but every answer loses its connection after 300,000 bytes
/norange/FILE    the first answer loses its connection, and ranges are not understood
/never/FILE      the same, but every answer loses its connection
/changed/FILE    the first answer loses its connection, and then the file is another one, FILE.new
/stall/FILE      the first answer stops in the middle, and its connection stays
/html/FILE       a web page
/busy/FILE       503, twice
/circle/FILE     a redirection to itself
/empty/FILE      the connection is lost before there is an answer
/OWNER/NAME/resolve/main/FILE   what a hub does: for those who have the token "secret", a redirection to
                 /plain/FILE under another name of this machine, which must not be told the token
A proxy's requests, of which the path is an address, are answered as the address says.
"""

import hashlib
import os
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

folder, log_path = sys.argv[1:]
counts, lock = {}, threading.Lock()
PIECE = 300_000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, headers=(), body=b""):
        with lock, open(log_path, "a") as log:
            log.write(f"{self.path} {self.headers.get('Range', '-')} {status}\n")
        self.send_response(status)
        headers = {"Content-Length": str(len(body)), "Connection": "close", **dict(headers)}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        return body

    def lose(self):
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def do_GET(self):
        path = urlsplit(self.path).path
        behaviour, _, rest = path.lstrip("/").partition("/")
        with lock:
            number = counts[path] = counts.get(path, 0) + 1
        if "/resolve/main/" in path:
            if self.headers.get("Authorization") != "Bearer secret":
                return self.wfile.write(self.answer(401, body=b"who are you?"))
            location = f"http://localhost:{self.server.server_port}/plain/{path.rpartition('/')[2]}"
            return self.wfile.write(self.answer(302, {"Location": location}))
        if self.headers.get("Authorization"):
            return self.wfile.write(self.answer(400, body=b"that is not for me"))
        if behaviour == "html":
            return self.wfile.write(self.answer(200, body=b"<!DOCTYPE html><title>Sign in</title>"))
        if behaviour == "busy" and number <= 2:
            return self.wfile.write(self.answer(503, body=b"later"))
        if behaviour == "circle":
            return self.wfile.write(self.answer(302, {"Location": path}))
        if behaviour == "empty":
            return self.lose()
        self.send_file(behaviour, rest, number)

    def send_file(self, behaviour, name, number):
        if behaviour == "changed" and number > 1:
            name += ".new"
        try:
            with open(os.path.join(folder, name), "rb") as file:
                body = file.read()
        except OSError:
            return self.wfile.write(self.answer(404, body=b"no such file"))
        tag = f'"{hashlib.md5(body).hexdigest()}"'
        wanted = self.headers.get("Range")
        if behaviour in ("norange", "never") or self.headers.get("If-Range") not in (None, tag):
            wanted = None
        headers, status = {"ETag": tag}, 200
        if wanted:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                return self.wfile.write(self.answer(416))
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            body, status = body[start:], 206
        body = self.answer(status, headers, body)
        if behaviour in ("drop", "never") or (behaviour in ("norange", "changed", "stall") and number == 1):
            self.wfile.write(body[:PIECE])
            self.wfile.flush()
            if behaviour == "stall":
                time.sleep(60)
            if len(body) > PIECE:
                self.lose()
        else:
            self.wfile.write(body)


server = ThreadingHTTPServer(("", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
os._exit(0)
