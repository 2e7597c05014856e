"""HTTP/1 byte by byte: an origin and clients that do exactly what a test says.

    def handle(origin, conn):
        request = conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")

    with RawOrigin(handle) as origin, Copald(origin) as copal: ...

The origin takes nothing that RFC 9112 calls ambiguous or malformed: what is
forwarded to it must be right, and what was cut short must not be completed.
"""
import re
import socket
import struct
import threading

LIMIT = 60

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
REQUEST_LINE = re.compile(
    rb"(" + TOKEN + rb") ([^\x00-\x20\x7f]+) HTTP/1\.1\r\n")
FIELD = re.compile(rb"(" + TOKEN + rb"):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)\r\n")
CHUNK_SIZE = re.compile(rb"([0-9a-f]{1,16})\r\n")


class Malformed(Exception):
    pass


class Cut(Exception):
    """The message ended before its end."""


class Message:
    def __init__(self, start, fields, body=b""):
        self.start = start          # of the first line, its three parts
        self.fields = fields        # (name in small letters, value)
        self.body = body

    def get(self, name):
        values = [v for n, v in self.fields if n == name]
        return b", ".join(values) if values else None


class Reader:
    """Strict reading from a socket."""

    def __init__(self, sock):
        self.sock = sock
        self.buf = b""

    def more(self):
        """False at the end of the stream."""
        try:
            data = self.sock.recv(262144)
        except ConnectionError:
            raise Cut from None
        self.buf += data
        return bool(data)

    def line(self):
        while b"\n" not in self.buf:
            if not self.more():
                raise Cut
        at = self.buf.index(b"\n") + 1
        line, self.buf = self.buf[:at], self.buf[at:]
        return line

    def take(self, n):
        parts, have = [self.buf], len(self.buf)
        while have < n:
            self.buf = b""
            if not self.more():
                raise Cut
            parts.append(self.buf)
            have += len(self.buf)
        data = b"".join(parts)
        self.buf = data[n:]
        return data[:n]

    def fields(self):
        fields = []
        while True:
            line = self.line()
            if line == b"\r\n":
                return fields
            match = FIELD.fullmatch(line)
            if not match:
                raise Malformed(line)
            fields.append((match[1].lower(), match[2]))

    def chunked(self):
        pieces = []
        while True:
            line = self.line()
            match = CHUNK_SIZE.fullmatch(line)
            if not match:
                raise Malformed(line)
            size = int(match[1], 16)
            if size == 0:
                break
            pieces.append(self.take(size))
            if self.take(2) != b"\r\n":
                raise Malformed("chunk without its end")
        if self.fields():
            raise Malformed("trailers")
        return b"".join(pieces)

    def read_request(self):
        """None: no further request, and a clean end."""
        try:
            if not self.buf and not self.more():
                return None
        except Cut:
            return None
        line = self.line()
        start = REQUEST_LINE.fullmatch(line)
        if not start:
            raise Malformed(line)
        m = Message(start.groups(), self.fields())
        length, coding = m.get(b"content-length"), m.get(b"transfer-encoding")
        if sum(n == b"host" for n, _ in m.fields) != 1:
            raise Malformed("not one Host")
        if length is not None and coding is not None:
            raise Malformed("two framings")
        if coding is not None:
            if coding != b"chunked":
                raise Malformed(coding)
            m.body = self.chunked()
        elif length is not None:
            if not re.fullmatch(rb"[0-9]+", length):
                raise Malformed(length)
            m.body = self.take(int(length))
        return m

    def read_response(self, head=False):
        """The next final response; Cut, also for one that ends by a close."""
        while True:
            start = tuple(self.line().rstrip(b"\r\n").split(b" ", 2))
            m = Message(start, self.fields())
            m.status = int(start[1])
            if m.status >= 200:
                break
        length = m.get(b"content-length")
        if head or m.status in (204, 304):
            return m
        if m.get(b"transfer-encoding") is not None:
            m.body = self.chunked()
        elif length is not None:
            m.body = self.take(int(length))
        else:
            m.body = self.rest()
        return m

    def rest(self):
        while self.more():
            pass
        data, self.buf = self.buf, b""
        return data


class OriginConn(Reader):
    def send(self, data):
        self.sock.sendall(data)

    def reset(self):
        reset(self.sock)


class RawOrigin:
    """handle(origin, conn) serves a connection on a thread of its own."""

    def __init__(self, handle):
        self.handle = handle
        self.lock = threading.Lock()
        self.complete = []      # requests, as they came
        self.cut = 0            # requests that were not completed
        self.malformed = []     # must stay empty
        self.socks = set()      # open connections
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            sock.settimeout(LIMIT)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(sock,),
                             daemon=True).start()

    def serve(self, sock):
        with self.lock:
            self.socks.add(sock)
        try:
            with sock:
                self.handle(self, OriginConn(sock))
        except Cut:
            with self.lock:
                self.cut += 1
        except Malformed as e:
            with self.lock:
                self.malformed.append(e)
        except OSError:
            pass
        finally:
            with self.lock:
                self.socks.discard(sock)

    def note(self, request):
        with self.lock:
            self.complete.append(request)

    def hang_up(self):
        """Ends every connection."""
        with self.lock:
            for sock in self.socks:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def __enter__(self):
        return self

    def __exit__(self, *args):
        # close alone does not wake the thread in accept
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.hang_up()


def response(body, *fields, status=b"200 OK"):
    return b"".join([b"HTTP/1.1 ", status, b"\r\n",
                     *(f + b"\r\n" for f in fields),
                     b"Content-Length: %d\r\n\r\n" % len(body), body])


def echo(origin, conn):
    """Answers every request with what it was."""
    while True:
        request = conn.read_request()
        if request is None:
            return
        origin.note(request)
        conn.send(response(b" ".join(request.start[:2]) + b" " +
                           request.body))


def reset(sock):
    """Closes with a reset: nothing more is sent, nothing is waited for."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    sock.close()


def connect(port, receive_buffer=None):
    sock = socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(LIMIT)
    sock.connect(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
