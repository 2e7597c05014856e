"""A DNS server on loopback, for names that tests make up.

    with DnsServer() as dns, Copald(..., *dns.args()) as copal:
        dns.set("origin.test", "127.0.0.1", "::1", ttl=1)
        dns.set("_http._tcp.test", ("SRV", 10, 1, 8080, "origin.test"))
        dns.mode = "silent"

mode: "" as it should be, "silent", "servfail", "garbage".
"""
import collections
import socket
import struct
import threading

A, CNAME, AAAA, SRV = 1, 5, 28, 33


def encode_name(name):
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(x)]) + x for x in labels) + b"\0"


def decode_name(message, at):
    labels = []
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(labels).lower(), at + 1


def encode_record(value):
    """Its type and data."""
    if isinstance(value, tuple) and value[0] == "SRV":
        return SRV, struct.pack("!HHH", *value[1:4]) + encode_name(value[4])
    if isinstance(value, tuple):
        return CNAME, encode_name(value[1])
    if ":" in value:
        return AAAA, socket.inet_pton(socket.AF_INET6, value)
    return A, socket.inet_aton(value)


class DnsServer:
    def __init__(self):
        self.records = {}
        self.counts = collections.Counter()     # questions by name
        self.mode = ""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def args(self):
        return ["-p", f"dns_servers={self.address}", "-p", "dns_ttl_min=0.05",
                "-p", "dns_retry=0.1", "-p", "dns_timeout=0.2"]

    def set(self, name, *values, ttl=0):
        """Of that name from now on; no values: there is no such name."""
        self.records[name.lower()] = (values, ttl)

    def serve(self):
        while True:
            try:
                message, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            name, end = decode_name(message, 12)
            self.counts[name] += 1
            if self.mode == "silent":
                continue
            try:
                self.socket.sendto(self.answer(message, name, end), peer)
            except OSError:
                return      # stopped

    def answer(self, message, name, end):
        if self.mode == "garbage":
            return message[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + b"\xc0\x0c" * 9
        type_ = struct.unpack("!H", message[end:end + 2])[0]
        rcode, records = 0, []
        if self.mode == "servfail":
            rcode = 2
        elif not self.records.get(name, ((), 0))[0]:
            rcode = 3
        else:
            records = self.collect(name, type_)
        head = message[:2] + struct.pack(
            "!HHHHH", 0x8580 | rcode, 1, len(records), 0, 0)
        return head + message[12:end + 4] + b"".join(records)

    def collect(self, name, type_, depth=0):
        """What answers that question, also behind aliases."""
        values, ttl = self.records.get(name, ((), 0))
        found = []
        for value in values:
            kind, data = encode_record(value)
            if kind in (type_, CNAME):
                found.append(encode_name(name) + struct.pack(
                    "!HHIH", kind, 1, ttl, len(data)) + data)
            if kind == CNAME and depth < 8:
                found += self.collect(value[1].lower(), type_, depth + 1)
        return found

    def stop(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.stop()
