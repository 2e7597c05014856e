# builtin.vcl - what happens if your VCL does not say otherwise.
#
# It is appended to each program: a built-in sub runs your code first, and
# then, if that did not return, this one.  The parts named vcl_req_*,
# vcl_beresp_* and vcl_builtin_* can be extended or cut short in the same way.

vcl 4.1;

# ---------------------------------------------------------------------
# The client's side

sub vcl_recv {
	call vcl_builtin_recv;
	return (hash);
}

sub vcl_builtin_recv {
	call vcl_req_host;
	call vcl_req_method;
	call vcl_req_authorization;
	call vcl_req_cookie;
}

sub vcl_req_host {
	# Host names have no case (RFC 9110 4.2.3); one object is enough.
	if (req.http.host ~ "[[:upper:]]") {
		set req.http.host = req.http.host.lower();
	}
	# RFC 9112 3.2: HTTP/1.1 must have it
	if (!req.http.host && req.esi_level == 0 &&
	    req.proto == "HTTP/1.1") {
		return (synth(400));
	}
}

sub vcl_req_method {
	# The preface of HTTP/2 is no request.
	if (req.method == "PRI") {
		return (synth(405));
	}
	# A tunnel goes byte by byte.
	if (req.method == "CONNECT") {
		return (pipe);
	}
	# A query is safe, and its body is part of the key.
	if (req.method != "GET" && req.method != "HEAD" &&
	    req.method != "QUERY") {
		return (pass);
	}
}

sub vcl_req_authorization {
	# It may be for this user only, unless the origin says that it is
	# not (RFC 9111 3.5).
	if (req.http.Authorization) {
		set req.only_shared = true;
	}
}

sub vcl_req_cookie {
	# So may this; unset req.http.Cookie where you know better.
	if (req.http.Cookie) {
		return (pass);
	}
}

sub vcl_pipe {
	call vcl_builtin_pipe;
	# Copal sends "Connection: close", so that no second request of the
	# client goes to a backend unseen.  To allow that:
	# unset bereq.http.connection;
	return (pipe);
}

sub vcl_builtin_pipe {
}

sub vcl_pass {
	call vcl_builtin_pass;
	return (fetch);
}

sub vcl_builtin_pass {
}

sub vcl_hash {
	call vcl_builtin_hash;
	return (lookup);
}

sub vcl_builtin_hash {
	hash_data(req.url);
	if (req.http.host) {
		hash_data(req.http.host);
	} else {
		hash_data(server.ip);
	}
}

sub vcl_purge {
	call vcl_builtin_purge;
	return (synth(200, "Purged"));
}

sub vcl_builtin_purge {
}

sub vcl_hit {
	call vcl_builtin_hit;
	return (deliver);
}

sub vcl_builtin_hit {
}

sub vcl_miss {
	call vcl_builtin_miss;
	return (fetch);
}

sub vcl_builtin_miss {
}

sub vcl_deliver {
	call vcl_builtin_deliver;
	return (deliver);
}

sub vcl_builtin_deliver {
}

# Also reached without a synth(): by failures, as 500 and 503.
sub vcl_synth {
	call vcl_builtin_synth;
	return (deliver);
}

sub vcl_builtin_synth {
	set resp.http.Content-Type = "text/html; charset=utf-8";
	set resp.http.Retry-After = "5";
	set resp.body = {"<!DOCTYPE html>
<html>
  <head>
    <title>"} + resp.status + " " + resp.reason + {"</title>
  </head>
  <body>
    <h1>Error "} + resp.status + " " + resp.reason + {"</h1>
    <p>"} + resp.reason + {"</p>
    <p>Request: "} + req.xid + {"</p>
    <hr>
    <p>Copal cache</p>
  </body>
</html>
"};
}

# ---------------------------------------------------------------------
# The backend's side

sub vcl_backend_fetch {
	call vcl_builtin_backend_fetch;
	return (fetch);
}

sub vcl_builtin_backend_fetch {
	if (bereq.method == "GET") {
		unset bereq.body;
	}
}

sub vcl_backend_response {
	call vcl_builtin_backend_response;
	return (deliver);
}

sub vcl_builtin_backend_response {
	call vcl_beresp_range;
	if (bereq.uncacheable) {
		return (deliver);
	}
	call vcl_beresp_cookie;
	call vcl_beresp_control;
	call vcl_beresp_vary;
	call vcl_beresp_stale;
}

sub vcl_beresp_cookie {
	# It is for one user, unless it is among the fields that Cache-Control
	# says are not for others.
	if (beresp.http.Set-Cookie && beresp.http.Cache-Control !~
	    {"(?i)(no-cache|private)="[^"]*\bset-cookie\b"}) {
		call vcl_beresp_hitmiss;
	}
}

sub vcl_beresp_control {
	# no-store, private and others, in Cache-Control or what stands in
	# its place (RFC 9111 3, RFC 9213)
	if (!beresp.storable) {
		call vcl_beresp_hitmiss;
	}
}

sub vcl_beresp_vary {
	if (beresp.http.Vary ~ "(^|,)\s*\*\s*(,|$)") {
		call vcl_beresp_hitmiss;
	}
}

# What is not fresh now can't be used by others, or only after the origin
# was asked about it.
sub vcl_beresp_stale {
	if (beresp.no_cache) {
		set beresp.ttl = 0s;
	}
	if (beresp.ttl <= 0s && !beresp.grants_stale) {
		call vcl_beresp_validate;
		call vcl_beresp_hitmiss;
	}
}

# A 304 costs the origin less than the whole: kept to be asked about.
sub vcl_beresp_validate {
	if (beresp.status == 200 &&
	    (beresp.http.ETag || beresp.http.Last-Modified)) {
		if (beresp.keep < param.uncacheable_ttl) {
			set beresp.keep = param.uncacheable_ttl;
		}
		return (deliver);
	}
}

sub vcl_beresp_range {
}

# Remember for a while that it can't be cached, so that requests for it
# do not wait for each other.
sub vcl_beresp_hitmiss {
	set beresp.ttl = param.uncacheable_ttl;
	set beresp.uncacheable = true;
	return (deliver);
}

# A revalidation was answered by 304: the stored object lives on.
sub vcl_backend_refresh {
	call vcl_builtin_backend_refresh;
	return (merge);
}

sub vcl_builtin_backend_refresh {
	call vcl_refresh_valid;
	call vcl_refresh_conditions;
	call vcl_refresh_status;
}

# The stored object may have been purged since it was asked about
# (obj_stale.is_valid): then this response is delivered, but not kept.
sub vcl_refresh_valid {
}

sub vcl_refresh_conditions {
	if (!bereq.http.If-Modified-Since && !bereq.http.If-None-Match) {
		return (error(503, "Unexpected 304"));
	}
}

# Only responses with status 200 are asked about.
sub vcl_refresh_status {
}

sub vcl_backend_error {
	call vcl_builtin_backend_error;
	return (deliver);
}

sub vcl_builtin_backend_error {
	set beresp.http.Content-Type = "text/html; charset=utf-8";
	set beresp.http.Retry-After = "5";
	set beresp.body = {"<!DOCTYPE html>
<html>
  <head>
    <title>"} + beresp.status + " " + beresp.reason + {"</title>
  </head>
  <body>
    <h1>Error "} + beresp.status + " " + beresp.reason + {"</h1>
    <p>"} + beresp.reason + {"</p>
    <p>Request: "} + bereq.xid + {"</p>
    <hr>
    <p>Copal cache</p>
  </body>
</html>
"};
}

# ---------------------------------------------------------------------
# When a program is loaded and unloaded

sub vcl_init {
	return (ok);
}

sub vcl_fini {
	return (ok);
}
