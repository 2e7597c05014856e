"""policy.py - a site's policy of 200 lines, ten regular expressions in the way of each request; prints it."""

HEAD = """vcl 4.1;
import std;

# A site with media, an API, tracking parameters and two languages: what
# policy_bench.py gives Copal and Varnish.
backend default { .host = "127.0.0.1"; .port = "%d"; }

acl admins {
	"localhost";
	"10.0.0.0"/8;
	"192.168.0.0"/16;
	!"192.168.1.1";
}

sub vcl_recv {
	if (req.method == "PURGE") {
		if (client.ip !~ admins) {
			return (synth(405, "Not allowed"));
		}
		return (purge);
	}
	unset req.http.Proxy;
	unset req.http.X-Forwarded-Proto;
	set req.http.X-Device = "desktop";
	if (req.http.User-Agent ~ "(?i)mobile|android|iphone|ipad") {
		set req.http.X-Device = "mobile";
	}
	set req.http.X-Lang = "en";
	if (req.http.Accept-Language ~ "^(de|at)\\b") {
		set req.http.X-Lang = "de";
	}
	if (req.http.Host) {
		set req.http.Host = std.tolower(regsub(req.http.Host, ":[0-9]+$", ""));
	}
	if (req.url ~ "[?&](utm_[a-z]+|gclid|fbclid)=") {
		set req.url = regsuball(req.url, "(utm_[a-z]+|gclid|fbclid)=[^&]*&?", "");
		set req.url = regsub(req.url, "[?&]$", "");
	}
	set req.url = std.querysort(req.url);
	if (req.http.Cookie) {
		if (req.http.Cookie !~ "(^|;\\s*)(session|cart)=") {
			unset req.http.Cookie;
		}
	}
	if (req.url ~ "^/(admin|login|cart|checkout)(/|$)") {
		return (pass);
	}
"""
RULE = """	if (req.url ~ "^/old%d/([^/?]+)") {
		set req.url = regsub(req.url, "^/old%d/", "/section%d/");
		set req.http.X-Section = "section%d";
		set req.http.X-Moved = "yes";
	}
"""
SECTION = """	if (req.http.Host == "host%d.example.com") {
		set req.http.X-Site = "host%d";
		set req.http.X-Tier = "gold";
	} elseif (req.http.X-Kind == "kind%d") {
		set req.http.X-Site = "kind%d";
		set req.http.X-Tier = "silver";
	}
"""
MIDDLE = """	return (hash);
}

sub vcl_hash {
	hash_data(req.http.X-Device);
	hash_data(req.http.X-Lang);
}

sub vcl_backend_response {
	set beresp.ttl = 1h;
	set beresp.grace = 6h;
	unset beresp.http.Set-Cookie;
}

sub vcl_deliver {
	if (obj.hits > 0) {
		set resp.http.X-Cache = "HIT " + obj.hits;
	} else {
		set resp.http.X-Cache = "MISS";
	}
	unset resp.http.Via;
	unset resp.http.X-Powered-By;
	set resp.http.X-Content-Type-Options = "nosniff";
	set resp.http.X-Served-By = server.hostname;
	if (req.url ~ "\\.(css|js|png|jpe?g|webp|woff2)(\\?|$)") {
		set resp.http.Cache-Control = "public, max-age=86400";
	}
}
"""


def text(port):
    parts = [HEAD % port] + [RULE % (i, i, i, i) for i in range(3)]
    parts += [SECTION % (i, i, i, i) for i in range(15)]
    return "".join(parts) + MIDDLE.replace("\\", "\\")


def empty(port):
    return ('vcl 4.1;\nbackend default { .host = "127.0.0.1"; .port = "%d"; }\n'
            "sub vcl_recv { unset req.http.Cookie; }\nsub vcl_backend_response { set beresp.ttl = 1h; }\n" % port)
