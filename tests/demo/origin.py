#!/usr/bin/env python3
"""A small web site to put Copal in front of.

    origin.py [HOST:]PORT

  /            a page that names the others      max-age=60
  /page/N      any number of pages               max-age=300, ETag
  /image.png   a picture                         max-age=86400
  /image.svg   a picture                         max-age=86400
  /slow        a page that takes 2 s             max-age=30
  /large       100 MB, streamed                  max-age=3600
  /private     never to be cached                private, no-store
  /time        the time, fresh for 2 s           max-age=2

Everything that may be cached has an ETag and Last-Modified and answers
conditional and Range requests.  Prints a line for each request, so that one
sees what still comes through to the origin.
"""
import hashlib
import http.server
import re
import struct
import sys
import time
import zlib

STARTED = time.time()
LARGE_LEN = 100_000_000


def png(size=256):
    """A colourful square."""
    rows = b"".join(
        b"\0" + bytes(v for x in range(size)
                      for v in (x * 255 // size, y * 255 // size,
                                (x ^ y) & 255))
        for y in range(size))

    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))

    return (b"\x89PNG\r\n\x1a\n" +
            chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def svg():
    rings = "".join(f'<circle cx="100" cy="100" r="{r}" fill="none" '
                    f'stroke="hsl({r * 4},70%,50%)" stroke-width="6"/>'
                    for r in range(10, 95, 10))
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="200" '
            f'height="200">{rings}</svg>').encode()


def page(title, text):
    return ("<!doctype html><meta charset=utf-8>"
            f"<title>{title}</title><h1>{title}</h1>{text}\n").encode()


def index():
    links = "".join(f'<li><a href="{p}">{p}</a>' for p in (
        "/page/1", "/page/2", "/image.png", "/image.svg", "/slow", "/large",
        "/private", "/time"))
    return page("Copal's demo origin",
                f'<p><img src="/image.png" alt=""></p><ul>{links}</ul>')


IMAGE = png()


class Large:
    """The bytes of /large, made as they are sent."""
    pattern = bytes(range(256)) * 256

    def __len__(self):
        return LARGE_LEN

    def pieces(self, first, last):
        while first <= last:
            at = first % len(self.pattern)
            piece = self.pattern[at:at + last - first + 1]
            yield piece
            first += len(piece)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "demo"
    timeout = 120

    def do_GET(self):
        self.drain()
        path = self.path.partition("?")[0]
        if path == "/":
            self.answer(index(), "text/html", "max-age=60")
        elif m := re.fullmatch(r"/page/(\d{1,9})", path):
            text = f"<p>Page {m[1]}.</p>" * 40
            self.answer(page(f"Page {m[1]}", text), "text/html",
                        "max-age=300")
        elif path == "/image.png":
            self.answer(IMAGE, "image/png", "max-age=86400")
        elif path == "/image.svg":
            self.answer(svg(), "image/svg+xml", "max-age=86400")
        elif path == "/slow":
            time.sleep(2)
            self.answer(page("Slow", "That took 2 seconds."), "text/html",
                        "max-age=30")
        elif path == "/large":
            self.answer(Large(), "application/octet-stream", "max-age=3600")
        elif path == "/private":
            self.answer(page("Private", f"{time.time():.3f}"), "text/html",
                        "private, no-store")
        elif path == "/time":
            self.answer(page("Time", time.ctime()), "text/html", "max-age=2")
        else:
            self.answer(page("Not found", ""), "text/html", "max-age=10", 404)

    do_HEAD = do_POST = do_GET

    def drain(self):
        n = self.headers.get("Content-Length", "0")
        left = int(n) if n.isdigit() else 0
        while left > 0:
            piece = self.rfile.read(min(left, 65536))
            if not piece:
                break
            left -= len(piece)

    def answer(self, body, kind, cache_control, status=200):
        etag = self.etag(body)
        first, last = 0, len(body) - 1
        cacheable = "no-store" not in cache_control and status == 200
        if cacheable and etag in self.headers.get("If-None-Match", ""):
            status = 304
        elif cacheable and "Range" in self.headers:
            status, first, last = self.range(len(body))
        self.send_response(status)
        self.send_header("Cache-Control", cache_control)
        if cacheable:
            self.send_header("ETag", etag)
            self.send_header("Last-Modified", self.date_time_string(STARTED))
            self.send_header("Accept-Ranges", "bytes")
        if status == 206:
            self.send_header("Content-Range",
                             f"bytes {first}-{last}/{len(body)}")
        elif status == 416:
            self.send_header("Content-Range", f"bytes */{len(body)}")
        if status != 304:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        if self.command == "HEAD" or status == 304:
            return
        if isinstance(body, Large):
            for piece in body.pieces(first, last):
                self.wfile.write(piece)
        else:
            self.wfile.write(body[first:last + 1])

    def etag(self, body):
        if isinstance(body, Large):
            return '"large"'
        return '"%s"' % hashlib.sha256(body).hexdigest()[:16]

    def range(self, size):
        """-> (status, first, last) for one range; several: all of it"""
        m = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers["Range"])
        if not m or not (m[1] or m[2]):
            return 200, 0, size - 1
        if m[1]:
            first, last = int(m[1]), min(int(m[2] or size), size - 1)
        else:
            first, last = max(0, size - int(m[2])), size - 1
        if first > last:
            return 416, 0, -1
        return 206, first, last

    def log_message(self, fmt, *args):
        print("origin:", fmt % args, flush=True)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        kind = sys.exc_info()[0]
        if not (kind and issubclass(kind, OSError)):    # a peer that left
            super().handle_error(request, client_address)


def main():
    where = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8081"
    host, _, port = where.rpartition(":")
    try:
        server = Server((host or "127.0.0.1", int(port)), Handler)
    except OSError as e:
        sys.exit(f"origin.py: {where}: {e.strerror}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
