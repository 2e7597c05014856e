vcl 4.1;
import std;

probe p1 { .url = "/h"; .interval = 5s; .timeout = 1s; .window = 5; .threshold = 3; }
probe default { .request = "GET / HTTP/1.1" "Host: x" "Connection: close"; }
backend default { .host = "127.0.0.1"; .port = 8081; .connect_timeout = 1.5s; .probe = p1; .max_connections = 100;}
backend other { .host = "localhost"; .port = "http"; .probe = { .url = "/x"; } }
backend uds { .path = "/run/x.sock"; .preamble = :SGVsbG8=:; }
backend nil none;
acl local +log -pedantic { "localhost"; "10.0.0.0"/8; ! "10.1.2.3"; ("nohost.example"); "192.168.0.0/16"; "::1"; "10.1"; }

sub normalize {
	if (req.http.Cookie ~ "^\s*$") { unset req.http.cookie; return; }
	set req.http.X-A = "a" + req.url + "b" req.http.host "c" + 5 + " " + now + " " + client.ip;
	set req.http."x.y" = std.tolower(req.http.Host) + req.http.Accept.upper();
}
sub vcl_init { return (ok); }
sub vcl_recv {
	call normalize;
	if (client.ip ~ local && !(req.method == "PURGE" || req.url !~ "^/(a|b)\?x")) { return (purge); }
	elseif (req.url ~ "\.(png|jpg)$") { set req.backend_hint = other; }
	else if (std.integer(req.http.n, 0) > 5 && req.http.foo) { std.log("x: " + req.url); }
	else { set req.backend_hint = uds; }
	if (req.http.x == "y" && now - 5m < req.time) { set req.backend_hint = nil; }
	std.collect(req.http.cookie, "; ");
	if (req.url ~ "^/" + req.http.pat) { return (synth(404, "Nope " + req.url)); }
	set req.url = regsuball(regsub(req.url, "\?.*$", ""), "//+", "/");
	if (!req.http.host ~ "x" ) { return (pass); }
	if (std.duration(real=1.5, fallback=10s) > 5s) { return (fail("x")); }
	if (server.ip == "127.0.0.1" || std.healthy(req.backend_hint)) { std.rollback(req); }
	std.syslog(9, "hi");
}
sub vcl_backend_response {
	set beresp.ttl = 1h;
	set beresp.grace *= 2;
	set beresp.ttl += 10s;
	set beresp.http.x += "z";
	set beresp.transit_buffer = 10KB * 2;
	set beresp.status = 200 + 4 / 2 % 3;
	set beresp.storage = storage.s0;
	if (storage.s0.free_space > 10MB) { set beresp.uncacheable = true; }
	if (bereq.retries < 3 && beresp.status >= 500) { return (retry); }
	set beresp.do_stream = !beresp.http.x;
	return (pass(10s));
}
sub vcl_deliver { set resp.http.X-Hits = obj.hits; set resp.http.ttl = obj.ttl; unset resp.http.Via; set resp.http.f = std.fileread("/etc/hostname"); }
sub vcl_synth { synthetic({"<a "quoted">
\ ?? % é "} + resp.status); set resp.body += "x"; return (deliver);}
