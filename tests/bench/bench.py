#!/usr/bin/env python3
"""bench.py - caching servers side by side, pinned to core 0, load on core 1.

  bench.py [-r REPS] [-d SECS] [-p peer,peer] [-o OUT.json] SCENARIO...
  bench.py --extra 'NAME=http://127.0.0.1:PORT' a b h
  bench.py --extra 'NAME=http://127.0.0.1:PORT,https://127.0.0.1:PORT,CAPS,COMMAND'

Scenarios: a b c d e f g h i j k l m p (see SCEN at the end).  An extra server must
cache the origin at http://127.0.0.1:8900; without COMMAND it must already run
(pin it to core 0).  CAPS as in peers.py.  Every measured run holds
a lock (BENCH_DIR.lock), is checked against the origin's request counter (hits must
not reach it), and is repeated if other processes used the CPUs meanwhile.
"""
import argparse, fcntl, json, os, resource, signal, socket
import subprocess, sys, threading, time, urllib.parse
import peers
from core import BULK, PIN0, PIN1, Server, args, count, each, http, lock, measure, out, port_for, rounds, run, say, table
from peers import B, ORIGIN, SIZES, TLS_SIZES

HERE = os.path.dirname(os.path.abspath(__file__))


def wrk(url, conns=64, lua=None, extra=(), secs=None):
    return ["wrk", "-t1", f"-c{conns}", f"-d{secs or args.d}s", "--latency", "--timeout", "30s", "-s", lua or f"{B}/report.lua", url] + list(extra)


def load(port, path, *o):
    return [f"{B}/load", "-d", str(args.d)] + list(o) + [str(port), path]


def sc_a():
    for size in map(int, args.sizes.split(",")):
        path = f"/s/{size}/x"
        ss = [s for s in each("") if s.port and (size > 4096 or s.name not in BULK)]
        for s in ss:
            http(port_for(s, size), path)
        for s in rounds(ss):
            p = port_for(s, size)
            measure("a", size, s, load(p, path, "-c", "64") if size > 65536 else wrk(f"http://127.0.0.1:{p}{path}"))


def sc_b():
    for s in each(""):
        if s.port:
            http(port_for(s, 1024), "/s/1024/x")
    for s in rounds([s for s in each("") if s.port and s.name not in BULK]):
        measure("b", 1024, s, wrk(f"http://127.0.0.1:{port_for(s, 1024)}/s/1024/x", extra=["-H", "Connection: close"]))


def sc_c():
    for s in each("tc"):
        for z in TLS_SIZES:
            http(s.port, f"/s/{z}/x")
            subprocess.run(["curl", "-sk", "-o", "/dev/null", f"https://127.0.0.1:{s.tls}/s/{z}/x"])
    for what, z, opt in (("1K keep", 1024, "-c64 -T"), ("1M keep", 1048576, "-c16 -T"), ("new", 1024, "-c64 -T -n"),
                         ("resumed", 1024, "-c64 -T -n -R")):
        for s in rounds(each("t")):
            r = measure("c", what, s, load(port_for(s, z, True), f"/s/{z}/x", *opt.split()))
            if r and "R" in opt and r.get("resumed", 0) < r["req"] * 0.9:
                out["notes"].append(f"{s.name}: only {r['resumed']} of {r['req']} connections resumed")


def sc_d():
    for s in each("2c"):
        subprocess.run(["curl", "-sk", "-o", "/dev/null", f"https://127.0.0.1:{s.tls}/s/1024/x"])
    for s in rounds(each("2")):
        measure("d", "h2 1K", s, ["h2load", "-t1", "-c16", "-m32", "-D", str(int(args.d)), f"https://127.0.0.1:{s.tls}/s/1024/x"])


def lua(name, request):
    return peers.put(f"{B}/{name}.lua", "local n, tag, rnd = 0, os.time(), math.random\n" +
                     "init = function(a) n = tonumber(a[1]) or 0; math.randomseed(tonumber(a[2]) or 1); "
                     "for i = 1, 20 do rnd() end end\n" + f"request = function() {request} end\n" + open(B + "/report.lua").read())


def fill(s, path, total, conns=32):
    """ask for path..0 to path..total-1 once each; returns seconds"""
    f = lua("seq", f'n = n + 1; return "GET {path}" .. n .. " HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n"')
    t, at = time.time(), -1
    while at < total and time.time() - t < 300:
        n0 = count()
        subprocess.run(PIN1 + ["wrk", "-t1", f"-c{conns}", "-d5s", "-s", f, f"http://127.0.0.1:{s.port}/", "--", str(at)],
                       capture_output=True)
        got = count() - n0
        if got == 0:
            break
        at += max(got - 2 * conns, 1)
    return time.time() - t, min(at, total)


def sc_e():
    N = args.objects
    for s in [s for s in each("cm")]:
        pss0 = s.pss()
        with lock(fcntl.LOCK_SH):
            t, got = fill(s, "/s/1024/e", N)
        disk = subprocess.run(["du", "-s", "-B1", f"{B}/{s.name}/cache"], capture_output=True, text=True).stdout.split()
        out["points"].append(dict(scen="e-mem", peer=s.name, point=N, objects=got, fill_s=t, pss0=pss0, pss=s.pss(),
                                  disk=int(disk[0]) if disk else 0))
        say("e", s.name, f"filled {got} in {t:.0f} s, PSS {pss0 >> 20} -> {s.pss() >> 20} MiB = {(s.pss() - pss0) / max(got, 1):.0f} B/object")
    f = lua("uni", f'return "GET /s/1024/e" .. rnd(0, {int(N * 0.999)}) .. " HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n"')
    for s in rounds(each("cm")):
        measure("e", f"{N} obj", s, wrk(f"http://127.0.0.1:{s.port}/", lua=f, extra=["--", "0", str(time.time_ns() % 99991)]))
    for s in each("cm"):
        out["points"].append(dict(scen="e-mem", peer=s.name, point="after", pss=s.pss()))
        say("e", s.name, "PSS after the random phase", s.pss() >> 20, "MiB")


def sc_f():
    for s in each(""):
        if not s.port or s.name in ("limit-sendfile", "limit-cubic"):
            continue
        n, socks = (9800 if s.name == "haproxy" else 10000), []
        req = "GET /s/1024/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        http(port_for(s, 1024), "/s/1024/x")
        time.sleep(1)
        p0 = s.pss()
        try:
            for i in range(n):
                k = socket.create_connection(("127.0.0.1", port_for(s, 1024)), 10)
                k.sendall(req)
                k.recv(65536)
                socks.append(k)
        except OSError as e:
            say("f", s.name, "stopped at", len(socks), e)
        time.sleep(2)
        dead = 0
        for k in socks:
            k.setblocking(False)
            try:
                while k.recv(65536):
                    pass
                dead += 1
            except OSError:
                pass
        p1 = s.pss()
        out["points"].append(dict(scen="f-mem", peer=s.name, conns=len(socks), dead=dead, bytes_per_conn=(p1 - p0) / max(len(socks), 1)))
        say("f", s.name, len(socks), "connections,", dead, "closed by the server,", f"{(p1 - p0) / max(len(socks), 1):.0f} B each (base {p0 >> 20} MiB)")
        for k in socks:
            k.close()
        time.sleep(1)


def get(s, i):              # an object that fill() asked for: the Host is part of its key
    return http(s.port, f"/s/10240/g{i}", timeout=20, host="127.0.0.1")


def sc_g():
    for s in each("cp"):
        with lock(fcntl.LOCK_SH):
            t, got = fill(s, "/s/10240/g", 100000)
        say("g", s.name, "filled", got, f"in {t:.0f} s")
        time.sleep(75 if s.name == "ats" else 3)    # let a lazy store write its state (ATS: every 60 s)
        for s in rounds([s]):
            tt = time.time()
            s.stop()
            stop = time.time() - tt
            n0, t0 = count(), time.time()
            s.start(**({"keep": True} if callable(s.cmd) else {}))
            up = time.time() - t0
            first, tries = None, 0
            while time.time() - t0 < 20 and first is None:
                a = count()
                st, h, b = get(s, 5000 + tries * 37 % 90000)
                if st == 200 and len(b) == 10240 and count() == a:
                    first = time.time() - t0
                tries += 1
            n1, ok = count(), 0
            for i in range(1000, 90000, 89):
                ok += get(s, i)[0] == 200
            lost = count() - n1
            out["points"].append(dict(scen="g-start", peer=s.name, stop_s=stop, listen_s=up, first_hit_s=first, tries=tries, lost_of_1000=lost))
            say("g", s.name, f"stop {stop:.2f} s, listening {up:.3f} s, first hit {first} s after {tries} tries, {lost} of {ok} lost")
        if s.name == "copal":
            worker_crash(s)


def worker_crash(s):        # kill -9 of the worker; the manager, which keeps the sockets, starts another
    for rep in range(args.r):
        workers = [p for p in s.pids() if p != s.proc.pid]
        n0, t0 = count(), time.time()
        for p in workers:
            os.kill(p, signal.SIGKILL)
        gone = 0                        # connections that were refused or broken meanwhile
        while time.time() - t0 < 20:
            try:
                if get(s, 5000)[0] == 200:
                    break
            except OSError:
                pass
            gone += 1
        t, n1 = time.time() - t0, count()
        ok = sum(get(s, i)[0] == 200 for i in range(1000, 90000, 89))
        lost = count() - n1
        out["points"].append(dict(scen="g-crash", peer=s.name, first_answer_s=t, failed=gone, first_hit=n1 == n0, lost_of_1000=lost))
        say("g", s.name, f"kill -9 of the worker: answer after {t:.3f} s, {gone} failed before, a hit: {n1 == n0}, {lost} of {ok} lost")


def first_hit(s, path, t0):
    """seconds from t0 to a hit, and the tries before it"""
    tries = 0
    while time.time() - t0 < 60:
        n0 = count()
        try:
            st = http(s.port, path, timeout=20, host="127.0.0.1")[0]
        except OSError:
            st = 0
        if st == 200 and count() == n0:
            return time.time() - t0, tries
        tries += 1
        time.sleep(0.001)
    return None, tries


def sc_m():
    """start with many objects and nothing of them in the page cache; then after kill -9"""
    for s in each("cp"):
        with lock(fcntl.LOCK_SH):
            t, got = fill(s, "/s/1024/m", args.objects)
        say("m", s.name, "filled", got, f"in {t:.0f} s")
        time.sleep(75 if s.name == "ats" else 3)
        for rep in range(args.r):
            for how in ("cold", "kill -9"):
                if how == "cold":
                    s.stop()
                    os.sync()
                    open("/proc/sys/vm/drop_caches", "w").write("3")
                    subprocess.run(s.cmd(keep=True).split()[:1] + ["-V"], capture_output=True)   # the program itself is not in question
                else:
                    os.killpg(s.proc.pid, signal.SIGKILL)
                    s.proc.wait()
                t0 = time.time()
                s.proc = subprocess.Popen(PIN0 + s.cmd(keep=True).split(), start_new_session=True, cwd=B,
                                          stdout=open(f"{B}/log.{s.name}", "a"), stderr=subprocess.STDOUT)
                first, tries = first_hit(s, f"/s/1024/m{got // 3 + rep * 7}", t0)
                out["points"].append(dict(scen="m-start", peer=s.name, how=how, objects=got, first_hit_s=first, tries=tries))
                say("m", s.name, how, f"first hit {first} s after exec, {tries} tries before it")


def sc_l():
    """churn: every request is a fill, and something must go for it (BENCH_STORE_GIB=1)"""
    k = 0
    size = 16384
    for s in each("c"):
        with lock(fcntl.LOCK_SH):
            t, got = fill(s, f"/s/{size}/l", (peers.GIB or 16) * (1 << 30) // size * 5 // 4)
        say("l", s.name, "filled", got, f"in {t:.0f} s")
    for s in rounds(each("c")):
        k += 1
        f = lua("churn", f'n = n + 1; return "GET /s/{size}/l" .. tag .. "-{k}-" .. n .. " HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n"')
        measure("l", "fill 16K", s, wrk(f"http://127.0.0.1:{s.port}/", conns=32, lua=f), hits=False, tries=1)


def sc_h():
    k = 0
    for s in rounds(each("c")):
        k += 1
        f = lua("miss", f'n = n + 1; return "GET /s/1024/h" .. tag .. "-{k}-" .. n .. " HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n"')
        measure("h", "miss 1K", s, wrk(f"http://127.0.0.1:{s.port}/", lua=f), hits=False)


def sc_i():
    for rep in range(args.r):
        for s in each("c"):
            n0, t0, res = count(), time.time(), []
            path = f"/slow/1000/1024/i{int(t0 * 1000)}"
            def one():
                try:
                    res.append(http(s.port, path, timeout=30)[0])
                except OSError:
                    res.append(0)
            th = [threading.Thread(target=one) for _ in range(200)]
            [t.start() for t in th]
            [t.join() for t in th]
            n, dt = count() - n0, time.time() - t0
            out["points"].append(dict(scen="i-collapse", peer=s.name, origin=n, secs=dt, ok=res.count(200)))
            say("i", s.name, "origin requests", n, f"all done in {dt:.2f} s, ok {res.count(200)}")


def sc_j():
    G = 1 << 30
    path = "/s/1073741824/big"
    ss = []
    for s in each("r") + [s for s in each("c") if s.name == "haproxy"]:
        for _ in range(2):
            subprocess.run(["curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{s.port}{path}"])
        ss.append(s)
    d, args.d = args.d, max(args.d, 3)
    for s in rounds(ss + each("g")):
        measure("j", "1 GiB x4", s, load(s.port, path, "-c", "4"))
    for s in rounds(ss):
        if s.name != "haproxy":
            measure("j", "range 64K", s, load(s.port, path, "-c", "32", "-g", f"{G}:65536"))
    args.d = d


def sc_k():
    for s in each("cr"):      # a range of an object that is still arriving at 8 MB/s (40 MB: 5 s)
        url = f"http://127.0.0.1:{s.port}/drip/8000000/40000000/k{int(time.time())}"
        w = ["-s", "-o", "/dev/null", "-w", "%{http_code} %{size_download} bytes in %{time_total} s", url]
        full = subprocess.Popen(["curl"] + w, stdout=subprocess.DEVNULL)
        time.sleep(1)
        res = []
        for rng in ("100000-165535", "30000000-30065535"):
            n0 = count()
            res.append((rng, subprocess.run(["curl", "-r", rng] + w, capture_output=True, text=True).stdout, f"origin +{count() - n0}"))
        full.wait()
        out["points"].append(dict(scen="k-partial", peer=s.name, result=res))
        say("k", s.name, "range while arriving:", res)


def sc_p():                 # where the server's CPU time goes at 1 KiB hits (perf, cpu-clock)
    for s in rounds([s for s in each("") if s.port and s.name not in BULK]):
        p, f = port_for(s, 1024), f"{B}/perf.{s.name}"
        http(p, "/s/1024/x")
        w = subprocess.Popen(PIN1 + wrk(f"http://127.0.0.1:{p}/s/1024/x", secs=3), stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-o", f, "-p", ",".join(map(str, s.pids())),
                        "--", "sleep", "1.5"], capture_output=True)
        w.wait()
        rep = lambda k, n: [x.split(None, 1) for x in subprocess.run(["perf", "report", "-i", f, "--stdio", "-q", "--no-children", "-s", k],
                            capture_output=True, text=True).stdout.splitlines() if "%" in x][:n]
        dso, sym = rep("dso", 6), rep("dso,symbol", 25)
        out["points"].append(dict(scen="p-perf", peer=s.name, dso=dso, sym=sym))
        say("p", s.name, "; ".join(f"{b.strip()} {a}" for a, b in dso))
        os.unlink(f)


SCEN = {"a": (sc_a, "hits, HTTP/1.1 keep-alive, 64 connections, by body size"), "b": (sc_b, "hits, Connection: close, 1 KiB"),
        "c": (sc_c, "HTTPS hits, TLS 1.3 P-256"), "d": (sc_d, "HTTP/2 over TLS, -c16 -m32"), "e": (sc_e, "many objects, uniform random"),
        "f": (sc_f, ""), "g": (sc_g, ""), "h": (sc_h, "misses, 1 KiB"), "i": (sc_i, ""), "j": (sc_j, "large media"),
        "k": (sc_k, ""), "l": (sc_l, "fills of 16 KiB into a full store"), "m": (sc_m, ""), "p": (sc_p, "")}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("scen", nargs="+", choices=SCEN)
    ap.add_argument("-r", type=int, default=3)
    ap.add_argument("-d", type=float, default=3)
    ap.add_argument("-p", default="")
    ap.add_argument("-o", default=f"{B}/results.json")
    ap.add_argument("--objects", type=int, default=1000000)
    ap.add_argument("--hold", type=float, default=0, help="keep the lock up to this many seconds between points")
    ap.add_argument("--sizes", default=",".join(map(str, SIZES)), help="body sizes of scenario a")
    ap.add_argument("--locked", action="store_true", help="the caller holds the lock")
    ap.add_argument("--extra", action="append", default=[])
    ap.parse_args(namespace=args)
    signal.signal(signal.SIGTERM, lambda *a: sys.exit(1))
    args.d = int(args.d) if args.d == int(args.d) else args.d
    os.makedirs(B, exist_ok=True)
    for f, libs in (("limit", []), ("limit_uring", ["-luring"]), ("limit_tls", ["-lssl", "-lcrypto"]), ("origin", []), ("load", ["-lssl", "-lcrypto"])):
        if f == "limit_uring" and not peers.is_here("limit-uring"):
            continue
        if not os.path.exists(f"{B}/{f}") or os.path.getmtime(f"{B}/{f}") < os.path.getmtime(f"{HERE}/{f}.c"):
            subprocess.check_call(["gcc", "-O2", "-o", f"{B}/{f}", f"{HERE}/{f}.c"] + libs)
    if not os.path.exists(B + "/both.pem"):
        subprocess.check_call(f"cd {B} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem "
                              "-days 365 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 && cat cert.pem key.pem > both.pem", shell=True)
    peers.put(B + "/report.lua", open(HERE + "/report.lua").read())
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    run["origin"] = subprocess.Popen(PIN1 + [f"{B}/origin", str(ORIGIN)], start_new_session=True)
    time.sleep(0.3)
    want = args.p.split(",") if args.p else list(peers.PEERS)
    for n in [n for n in want if not peers.is_here(n)]:
        say(n, "is not here")
        want.remove(n)
    try:
        for n in want:
            s = Server(n, *peers.PEERS[n])
            if any(c in s.caps for c in "c") or set(args.scen) & set("j" if "g" in s.caps else "abcdfjp"):
                if s.start() is not None:
                    run[n] = s
        for e in args.extra:
            n, v = e.split("=", 1)
            v = v.split(",", 3) + [""] * 3
            p = [urllib.parse.urlparse(u).port or 0 if u else 0 for u in v[:2]]
            run[n] = Server(n, v[3] or None, p[0], p[1], v[2] or "cr")
            run[n].start()
        say("running:", " ".join(run))
        for k in args.scen:
            say("scenario", k)
            if k in "fik":                  # these count or wait, they time no load
                with lock(fcntl.LOCK_SH):
                    SCEN[k][0]()
            else:
                SCEN[k][0]()
    finally:
        for s in run.values():
            s.terminate() if isinstance(s, subprocess.Popen) else s.stop()
        for k in args.scen:
            table(k, SCEN[k][1])
        with open(args.o, "w") as f:
            json.dump(out, f, indent=0)
    for p in out["points"]:
        if "-" in p["scen"]:
            print("-", json.dumps(p))
    print("\n".join(out["notes"]))


main()
