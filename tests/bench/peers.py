"""The servers under test: config files under BENCH_DIR and start commands.

Each peer caches the origin at 127.0.0.1:8900 and is pinned to core 0.
copal is the one in $COPAL_BIN (a build's bin folder) or in PATH.
caps: c = really caches a proxied origin, t = TLS, 2 = HTTP/2 over TLS,
      m = takes part in the many-objects scenario, p = persistent store,
      r = answers Range, l = a 'limit' bound (port depends on body size), g = one
      for a body of 1 GiB alone, which it holds in memory
"""
import os
import shutil
import tempfile

B = os.environ.get("BENCH_DIR") or os.path.join(tempfile.gettempdir(), "bench")
ORIGIN = 8900
SIZES = [100, 1024, 16384, 262144, 4194304]
TLS_SIZES = [1024, 1048576]
BIN = os.environ.get("COPAL_BIN")
GIB = int(os.environ.get("BENCH_STORE_GIB", 0))     # every store's size; 0: room for all
COPALD = BIN + "/copald/copald" if BIN else "copald"


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    return path


def copal(keep=False):
    if not keep:
        shutil.rmtree(B + "/copal", ignore_errors=True)
    put(B + "/copal/d.vcl", 'vcl 4.1;\nbackend default { .host = "127.0.0.1"; .port = "%d"; '
        '.first_byte_timeout = 600s; .between_bytes_timeout = 600s; }\n' % ORIGIN)
    return (f"{COPALD} -F -j none -n {B}/copal/work -f {B}/copal/d.vcl -a 127.0.0.1:8108 "
            f"-s lmdb,{B}/copal/store,{GIB or 16}G -p workers=1 -p ram_limit=4G -p timeout_idle=900 -p send_timeout=900 "
            "-p idle_send_timeout=900")


def varnish():
    put(B + "/varnish/d.vcl", 'vcl 4.1;\nbackend default { .host = "127.0.0.1"; .port = "%d"; '
        '.first_byte_timeout = 600s; .between_bytes_timeout = 600s; }\n' % ORIGIN)
    return (f"varnishd -F -j none -n {B}/varnish/work -f {B}/varnish/d.vcl -a 127.0.0.1:8101 -T none "
            f"-s malloc,{GIB or 9}G -p thread_pool_max=5000 -p timeout_idle=900 -p send_timeout=900 "
            "-p max_restarts=4")


def nginx(keep=False):
    if not keep:
        shutil.rmtree(B + "/nginx/cache", ignore_errors=True)
    os.makedirs(B + "/nginx/cache", exist_ok=True)
    put(B + "/nginx/nginx.conf", f"""
user root; daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid {B}/nginx/pid; error_log {B}/nginx/err.log;
events {{ worker_connections 18000; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_timeout 900; keepalive_requests 1000000000;
  sendfile_max_chunk 2m; client_body_temp_path {B}/nginx/b; proxy_temp_path {B}/nginx/p; fastcgi_temp_path {B}/nginx/f;
  uwsgi_temp_path {B}/nginx/u; scgi_temp_path {B}/nginx/s; proxy_read_timeout 900;
  open_file_cache max=15000 inactive=600s; open_file_cache_valid 600s; open_file_cache_min_uses 1;
  proxy_cache_path {B}/nginx/cache levels=1:2 keys_zone=c:400m max_size={GIB or 30}g inactive=10d use_temp_path=off;
  proxy_cache c; proxy_cache_lock on; proxy_cache_lock_timeout 60s; proxy_cache_lock_age 60s; proxy_max_temp_file_size 4096m;
  upstream o {{ server 127.0.0.1:{ORIGIN}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:8102 backlog=4096; listen 127.0.0.1:8402 ssl http2 backlog=4096;
    ssl_certificate {B}/cert.pem; ssl_certificate_key {B}/key.pem; ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:s:20m; http2_max_requests 1000000000; http2_max_concurrent_streams 512;
    location / {{ proxy_pass http://o; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
""")
    return f"nginx -c {B}/nginx/nginx.conf -e {B}/nginx/err.log"


def haproxy():
    put(B + "/haproxy/h.cfg", f"""
global
  nbthread 1
  maxconn 9900
  tune.ssl.cachesize 100000
defaults
  mode http
  timeout connect 10s
  timeout client 900s
  timeout server 900s
  timeout http-keep-alive 900s
cache c
  total-max-size 2200
  max-object-size 1090000000
  max-age 864000
frontend f
  bind 127.0.0.1:8103 backlog 4096
  bind 127.0.0.1:8403 ssl crt {B}/both.pem alpn h2,http/1.1 backlog 4096
  http-request cache-use c
  http-response cache-store c
  default_backend b
backend b
  http-reuse always
  server o 127.0.0.1:{ORIGIN}
""")
    return f"haproxy -db -f {B}/haproxy/h.cfg"


def ats(keep=False):
    r = B + "/ats"
    if not keep:
        shutil.rmtree(r + "/cache", ignore_errors=True)
    for d in ("cache", "log", "run", "share"):
        os.makedirs(f"{r}/{d}", exist_ok=True)
    shutil.copytree("/etc/trafficserver", r + "/etc", dirs_exist_ok=True)
    put(r + "/runroot.yaml", f"""prefix: {r}
exec_prefix: {r}
bindir: /usr/bin
sbindir: /usr/sbin
sysconfdir: {r}/etc
datadir: {r}/share
includedir: {r}
libdir: /usr/lib
libexecdir: /usr/lib/trafficserver/modules
localstatedir: {r}/run
runtimedir: {r}/run
logdir: {r}/log
mandir: {r}
infodir: {r}
cachedir: {r}/cache
""")
    put(r + "/etc/storage.config", f"{r}/cache {GIB or 16}G\n")
    put(r + "/etc/remap.config", f"map / http://127.0.0.1:{ORIGIN}/\n")
    put(r + "/etc/plugin.config", "")
    put(r + "/etc/ip_allow.yaml", "ip_allow:\n  - apply: in\n    ip_addrs: 0/0\n    action: allow\n    methods: ALL\n")
    put(r + "/etc/ssl_multicert.config", f"dest_ip=* ssl_cert_name={B}/cert.pem ssl_key_name={B}/key.pem\n")
    opts = {
        "exec_thread.autoconfig": ("INT", 0), "exec_thread.limit": ("INT", 1), "accept_threads": ("INT", 0),
        "cache.threads_per_disk": ("INT", 4), "http.server_ports": ("STRING", "8104:ip-in=127.0.0.1 8404:ssl:ip-in=127.0.0.1"),
        "admin.user_id": ("STRING", "#-1"), "log.logging_enabled": ("INT", 0), "diags.show_location": ("INT", 0),
        "cache.ram_cache.size": ("INT", 9 << 30), "cache.ram_cache_cutoff": ("INT", 1200 << 20),
        "cache.ram_cache.algorithm": ("INT", 1), "cache.min_average_object_size": ("INT", 2000),
        "cache.enable_read_while_writer": ("INT", 1), "http.background_fill_active_timeout": ("INT", 0),
        "http.background_fill_completed_threshold": ("FLOAT", 0.0),
        "http.cache.max_open_read_retries": ("INT", 400), "http.cache.open_read_retry_time": ("INT", 10),
        "http.keep_alive_no_activity_timeout_in": ("INT", 900), "http.transaction_no_activity_timeout_in": ("INT", 900),
        "net.connections_throttle": ("INT", 18000), "net.default_inactivity_timeout": ("INT", 900),
        "http.insert_response_via_str": ("INT", 0), "http.insert_request_via_str": ("INT", 0),
        "http.transaction_no_activity_timeout_out": ("INT", 900), "net.max_connections_in": ("INT", 18000),
        "http.max_requests_in": ("INT", 0), "dns.resolv_conf": ("STRING", "/etc/resolv.conf"),
        "http2.max_concurrent_streams_in": ("INT", 512), "http2.stream_priority_enabled": ("INT", 0),
        "http2.max_requests_in": ("INT", 0), "http.per_server.connection.max": ("INT", 0),
    }
    put(r + "/etc/records.config", "".join(f"CONFIG proxy.config.{k} {t} {v}\n" for k, (t, v) in opts.items()))
    os.system(f"chmod -R a+rwX {r}")
    return f"env TS_RUNROOT={r}/runroot.yaml traffic_server --run-root={r}/runroot.yaml"


def squid():
    put(B + "/squid/s.conf", f"""
http_port 127.0.0.1:8105 accel defaultsite=127.0.0.1 no-vhost
cache_peer 127.0.0.1 parent {ORIGIN} 0 no-query originserver no-digest name=o
cache_peer_access o allow all
http_access allow all
never_direct allow all
cache_mem 8 GB
maximum_object_size_in_memory 1200 MB
maximum_object_size 1200 MB
access_log none
cache_log {B}/squid/cache.log
pid_filename {B}/squid/pid
coredump_dir none
collapsed_forwarding on
max_filedescriptors 18000
client_idle_pconn_timeout 900 seconds
read_timeout 900 seconds
cache_effective_user proxy
shutdown_lifetime 1 seconds
""")
    os.system(f"chown -R proxy {B}/squid")
    return f"squid -N -n perfbench -f {B}/squid/s.conf"


def www():
    """static files for the servers that have no proxy cache (h2o, caddy)"""
    for n in SIZES + TLS_SIZES:
        p = f"{B}/www/s/{n}/x"
        if not os.path.exists(p):
            put(p, "x" * n)
    p = B + "/www/s/1073741824/big"
    if not os.path.exists(p):
        put(p, "")
        os.system(f"head -c 1073741824 /dev/zero > {p}")


def h2o():
    www()
    put(B + "/h2o/h.conf", f"""
num-threads: 1
max-connections: 18000
http1-request-timeout: 900
http2-idle-timeout: 900
access-log: /dev/null
pid-file: {B}/h2o/pid
user: root
listen: {{ host: 127.0.0.1, port: 8106 }}
listen: {{ host: 127.0.0.1, port: 8406, ssl: {{ certificate-file: {B}/cert.pem, key-file: {B}/key.pem }} }}
hosts:
  default:
    paths:
      "/":
        file.dir: {B}/www
""".replace("access-log: /dev/null\n", ""))
    return f"h2o -m worker -c {B}/h2o/h.conf"


def caddy():
    www()
    put(B + "/caddy/Caddyfile", f"""{{
  admin off
  auto_https off
  storage file_system {B}/caddy/data
  skip_install_trust
}}
http://127.0.0.1:8107 {{
  root * {B}/www
  file_server
}}
https://127.0.0.1:8407, https://localhost:8407 {{
  bind 127.0.0.1
  tls {B}/cert.pem {B}/key.pem
  root * {B}/www
  file_server
}}
""")
    return f"env HOME={B}/caddy caddy run --config {B}/caddy/Caddyfile --adapter caddyfile"


def sizes():
    return " ".join(map(str, SIZES))


# name: (command, port, tls port, caps)
PEERS = {
    "copal": (copal, 8108, 0, "cmpr"),
    "varnish": (varnish, 8101, 0, "cmr"),
    "nginx": (nginx, 8102, 8402, "ct2mpr"),
    "haproxy": (haproxy, 8103, 8403, "ct2"),
    "ats": (ats, 8104, 8404, "ct2mpr"),
    "squid": (squid, 8105, 0, "cr"),
    "h2o-file": (h2o, 8106, 8406, "t2r"),
    "caddy-file": (caddy, 8107, 8407, "t2r"),
    "limit": (lambda: f"{B}/limit 8500 {sizes()}", 8500, 0, "l"),
    "limit-sendfile": (lambda: f"{B}/limit -s 8540 {sizes()}", 8540, 0, "l"),
    "limit-sendfile-1g": (lambda: f"{B}/limit -s 8550 {1 << 30}", 8550, 0, "g"),
    "limit-cubic": (lambda: f"{B}/limit -s -c cubic 8560 {sizes()}", 8560, 0, "l"),
    "limit-file": (lambda: f"{B}/limit -s -f {B} 8580 {sizes()}", 8580, 0, "l"),
    "limit-uring": (lambda: f"{B}/limit_uring 8520 {sizes()}", 8520, 0, "l"),
    "limit-tls": (lambda: f"{B}/limit_tls {B}/cert.pem {B}/key.pem 8460 {' '.join(map(str, TLS_SIZES))}", 0, 8460, "lt"),
}

# the program that a peer is, and the Debian package that has it
PROGRAMS = {
    "copal": (COPALD, None),
    "varnish": ("varnishd", "varnish"),
    "nginx": ("nginx", "nginx"),
    "haproxy": ("haproxy", "haproxy"),
    "ats": ("traffic_server", "trafficserver"),
    "squid": ("squid", "squid"),
    "h2o-file": ("h2o", "h2o"),
    "caddy-file": ("caddy", "caddy"),
}


def is_here(name):
    if name in PROGRAMS:
        return shutil.which(PROGRAMS[name][0]) is not None
    return name != "limit-uring" or os.path.exists("/usr/include/liburing.h")
