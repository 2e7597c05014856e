# Pages that are put together from parts (ESI): a page for everybody with parts
# of it for each visitor, or a dear page with a part that changes all the time.
#
# The application marks its pages by Surrogate-Control: content="ESI/1.0", as
# Symfony, TYPO3 and others do when we say Surrogate-Capability, and gives each
# response the lifetime that it has by itself.

vcl 4.1;

backend default {
	.host = "127.0.0.1";
	.port = "8080";
	.first_byte_timeout = 30s;
	# parts of many pages come at a time: they wait in line
	.max_connections = 100;
	.wait_limit = 200;
	.wait_timeout = 5s;
}

acl purgers {
	"localhost";
}

sub vcl_recv {
	if (req.method == "PURGE") {
		if (client.ip !~ purgers) {
			return (synth(405));
		}
		return (purge);
	}
	# parts under /_part/ are for pages only, not for who guesses them
	if (req.url ~ "^/_part/" && req.esi_level == 0) {
		return (synth(404));
	}
	# a page may name other hosts; parts come from the site they are in
	if (req.esi_level > 0) {
		set req.http.Host = req_top.http.Host;
	}
	set req.http.Surrogate-Capability = "copal=ESI/1.0";

	if (req.method != "GET" && req.method != "HEAD") {
		return (pass);
	}
	if (req.http.Authorization) {
		return (pass);
	}
	# only these parts, and pages without parts, see who asks
	if (req.url !~ "^/(_part/user|account|login)/?") {
		unset req.http.Cookie;
	}
	return (hash);
}

# A visitor's parts are kept for the visitor: by the session's cookie.
sub vcl_hash {
	if (req.url ~ "^/_part/user" && req.http.Cookie) {
		hash_data(req.http.Cookie);
	}
}

sub vcl_backend_response {
	if (beresp.http.Surrogate-Control ~ "ESI/1.0") {
		set beresp.do_esi = true;
		unset beresp.http.Surrogate-Control;
	}
	# what is for all does not log anybody in
	if (!bereq.http.Cookie && beresp.ttl > 0s) {
		unset beresp.http.Set-Cookie;
	}
	if (bereq.url ~ "^/_part/user" && beresp.status == 200) {
		set beresp.ttl = 1m;
		set beresp.uncacheable = !bereq.http.Cookie;
	}
	# without the part rather than with an error in its place
	if (bereq.url ~ "^/_part/" && beresp.status >= 500) {
		return (error(beresp.status));
	}
	# a part that fails is better old than missing
	if (beresp.ttl > 0s) {
		set beresp.grace = 1h;
	}
}

sub vcl_synth {
	if (req.esi_level > 0) {
		set resp.body = "";
		return (deliver);
	}
}

sub vcl_backend_error {
	if (bereq.url ~ "^/_part/") {
		set beresp.body = "";
		return (deliver);
	}
}

sub vcl_deliver {
	# what a browser keeps would not learn of new parts
	if (resp.do_esi && req.esi_level == 0) {
		set resp.http.Cache-Control = "private, no-cache";
		unset resp.http.Last-Modified;
		unset resp.http.ETag;
	}
}
