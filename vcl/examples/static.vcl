# static.vcl - a static site: files that change when somebody deploys.
#
# For sites without logins and sessions: everything is cached, cookies mean
# nothing.  A deployment purges what it changed, or bans it all:
#
#     curl -X PURGE http://www.example.org/index.html
#     curl -X BAN -H 'X-Ban-Url: ^/blog/' http://www.example.org/
#
# Change the backend, the acl, and the host name in vcl_recv.

vcl 4.1;

import std;

backend default {
	.host = "127.0.0.1";
	.port = "8080";
}

# Who may purge.
acl deployers {
	"localhost";
}

sub vcl_recv {
	# One name for one site: the same page is one object.
	set req.http.Host = regsub(req.http.Host, ":\d+$", "").lower();
	if (req.http.Host == "example.org") {
		return (synth(301, "https://www.example.org" + req.url));
	}

	if (req.method == "PURGE" || req.method == "BAN") {
		if (client.ip !~ deployers) {
			return (synth(403, "Forbidden"));
		}
		if (req.method == "PURGE") {
			return (purge);
		}
		if (!req.http.X-Ban-Url) {
			return (synth(400, "X-Ban-Url is missing"));
		}
		if (!std.ban("req.http.host == " + req.http.Host +
		    " && req.url ~ " + req.http.X-Ban-Url)) {
			return (synth(400, std.ban_error()));
		}
		return (synth(200, "Banned"));
	}
	if (req.method != "GET" && req.method != "HEAD") {
		return (synth(405, "Method Not Allowed"));
	}

	# Files have neither users nor parameters.
	unset req.http.Cookie;
	unset req.http.Authorization;
	set req.url = regsub(req.url, "\?.*$", "");
}

sub vcl_backend_response {
	unset beresp.http.Set-Cookie;

	if (beresp.status >= 500) {
		# A stale page is better than an error.
		if (bereq.is_bgfetch) {
			return (abandon);
		}
		set beresp.uncacheable = true;
		return (deliver);
	}
	if (beresp.status == 404) {
		set beresp.ttl = 10s;
	} elseif (bereq.url ~ "[.-][0-9a-f]{8,}\.(css|js|woff2|png|jpg|svg)$") {
		# With a hash in its name, a file never changes.
		set beresp.ttl = 365d;
		set beresp.http.Cache-Control =
		    "public, max-age=31536000, immutable";
	} elseif (!beresp.http.Cache-Control && !beresp.http.Expires) {
		set beresp.ttl = 5m;
		set beresp.http.Cache-Control = "public, max-age=60";
	}
	# While the server is being deployed or down.
	set beresp.grace = 1d;
}

sub vcl_deliver {
	set resp.http.X-Content-Type-Options = "nosniff";
	unset resp.http.Server;
	unset resp.http.X-Powered-By;
}

sub vcl_synth {
	if (resp.status == 301) {
		set resp.http.Location = resp.reason;
		set resp.reason = "Moved Permanently";
		return (deliver);
	}
	if (resp.status == 405) {
		set resp.http.Allow = "GET, HEAD";
	}
}
