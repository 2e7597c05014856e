# api.vcl - an HTTP API that answers with JSON.
#
# The same question is asked in many ways: parameters in another order, empty
# ones, ones that mean nothing here, an Accept of ten kinds.  It is made one,
# so that it is one object.  Preflights of browsers are answered here, and
# errors are JSON, too.
#
# With a token, a response is one user's and is not kept, unless the API says
# "Cache-Control: public".

vcl 4.1;

import std;

backend default {
	.host = "127.0.0.1";
	.port = "8080";
	.connect_timeout = 1s;
	.first_byte_timeout = 5s;
}

acl operators {
	"localhost";
}

sub vcl_recv {
	if (req.method == "PURGE") {
		if (client.ip !~ operators) {
			return (synth(403, "Forbidden"));
		}
		call normalise_query;
		return (purge);
	}
	if (req.method == "OPTIONS" && req.http.Origin &&
	    req.http.Access-Control-Request-Method) {
		return (synth(204, "No Content"));
	}
	if (req.method !~ "^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$") {
		return (synth(405, "Method Not Allowed"));
	}
	if (req.url !~ "^/v[12]/") {
		return (synth(404, "There are only /v1/ and /v2/"));
	}

	# An API has tokens, not cookies.
	unset req.http.Cookie;
	if (req.method != "GET" && req.method != "HEAD") {
		return (pass);
	}
	call normalise_query;

	# The API knows two formats.
	if (req.http.Accept ~ "(application|text)/xml" &&
	    req.http.Accept !~ "application/json") {
		set req.http.Accept = "application/xml";
	} else {
		set req.http.Accept = "application/json";
	}
	unset req.http.User-Agent;
	return (hash);
}

sub normalise_query {
	# The path: no empty segments, no slash at the end.
	set req.url = regsuball(req.url, "(?<=/)/+(?=[^?]*(?:\?|$))", "");
	set req.url = regsub(req.url, "/(\?|$)", "\1");
	# What scripts add against caches, what statistics add, what is empty.
	set req.url = regsuball(req.url,
	    "(?<=[?&])(?:(?:_|cb|nocache|callback_id|utm_[a-z]+)=[^&]*|[^=&]*=?)(?:&|$)",
	    "");
	set req.url = regsub(req.url, "[?&]+$", "");
	set req.url = std.querysort(req.url);
}

sub vcl_hash {
	hash_data(req.http.Accept);
	hash_data(req.http.Authorization);
}

sub vcl_backend_response {
	if (beresp.status >= 500) {
		if (bereq.is_bgfetch) {
			return (abandon);
		}
		# Questions are safe to ask twice.
		if (bereq.retries == 0 &&
		    (bereq.method == "GET" || bereq.method == "HEAD")) {
			return (retry);
		}
		set beresp.uncacheable = true;
		return (deliver);
	}
	if (bereq.http.Authorization &&
	    beresp.http.Cache-Control !~ "(?i)public") {
		set beresp.uncacheable = true;
		set beresp.ttl = 120s;
		return (deliver);
	}
	# "Not found" may be true for a moment only.
	if (beresp.status == 404 && beresp.ttl > 5s) {
		set beresp.ttl = 5s;
	}
	set beresp.grace = 30s;
}

sub vcl_deliver {
	set resp.http.Access-Control-Allow-Origin = "*";
}

sub vcl_synth {
	if (resp.status == 204) {
		set resp.http.Access-Control-Allow-Origin = "*";
		set resp.http.Access-Control-Allow-Methods =
		    "GET, HEAD, POST, PUT, PATCH, DELETE";
		set resp.http.Access-Control-Allow-Headers =
		    "Authorization, Content-Type";
		set resp.http.Access-Control-Max-Age = "86400";
		return (deliver);
	}
	set resp.http.Content-Type = "application/json";
	set resp.body = {"{ "status": "} + resp.status +
	    {", "error": ""} + resp.reason + {"" }"};
	return (deliver);
}

sub vcl_backend_error {
	set beresp.http.Content-Type = "application/json";
	set beresp.http.Retry-After = "5";
	set beresp.body = {"{ "status": "} + beresp.status +
	    {", "error": ""} + beresp.reason + {"" }"};
	return (deliver);
}
