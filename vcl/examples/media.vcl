# media.vcl - large files: pictures, downloads, video in segments (HLS, DASH).
#
# A file is fetched once and whole, and clients receive it while it arrives;
# ranges are cut out of it.  Playlists of live streams are fresh for a second,
# and clients that ask for one at the same time share a fetch.
#
# Two stores keep small files from being evicted by large ones:
#
#     copald -f media.vcl -s small=lmdb,/var/lib/copal/small,10g \
#         -s large=lmdb,/var/lib/copal/large,500g
#
# and in vcl_backend_response
#
#     if (std.integer(beresp.http.Content-Length, 0) > 1000000) {
#         set beresp.storage = storage.large;
#     }

vcl 4.1;

import std;

backend default {
	.host = "127.0.0.1";
	.port = "8080";
	.first_byte_timeout = 30s;
	.between_bytes_timeout = 10s;
	.max_connections = 200;
}

acl editors {
	"localhost";
}

sub vcl_recv {
	if (req.method == "PURGE") {
		if (client.ip !~ editors) {
			return (synth(403, "Forbidden"));
		}
		return (purge);
	}
	if (req.method == "OPTIONS") {
		return (synth(204, "No Content"));
	}
	if (req.method != "GET" && req.method != "HEAD") {
		return (pass);
	}
	if (req.url ~ "(?i)\.(jpe?g|png|gif|webp|avif|svg|mp4|webm|mp3|ogg|pdf|zip|iso|m3u8|mpd|ts|m4s|vtt)(\?|$)") {
		unset req.http.Cookie;
		# "w" and "h" are the size of a picture, and "v" its version;
		# anything else is for statistics.
		set req.url = regsuball(req.url,
		    "([?&])(?!(?:w|h|v)=)[^=&]*(=[^&]*)?(?=&|$)", "\1");
		set req.url = regsuball(req.url, "&{2,}", "&");
		set req.url = regsub(req.url, "\?&", "?");
		set req.url = regsub(req.url, "[?&]+$", "");
		set req.url = std.querysort(req.url);
	}
}

sub vcl_backend_response {
	if (beresp.status >= 500 && bereq.is_bgfetch) {
		return (abandon);
	}
	if (beresp.status == 200 && !bereq.uncacheable) {
		unset beresp.http.Set-Cookie;
		if (bereq.url ~ "\.(m3u8|mpd)$") {
			# A live playlist changes with each segment.
			set beresp.http.Cache-Control = "public, max-age=1";
			set beresp.ttl = 1s;
			set beresp.grace = 2s;
		} elseif (bereq.url ~ "\.(ts|m4s)$") {
			# A segment never changes, and is soon forgotten.
			set beresp.http.Cache-Control = "public, max-age=3600";
			set beresp.ttl = 1h;
			set beresp.grace = 0s;
		} elseif (beresp.ttl < 1h) {
			set beresp.ttl = 1d;
			set beresp.grace = 7d;
			set beresp.keep = 30d;
		}
	}
	# Too large to be worth its place: it is passed on.
	if (std.bytes(beresp.http.Content-Length, 0B) > 4GB) {
		set beresp.uncacheable = true;
		set beresp.transit_buffer = 1MB;
	}
}

sub vcl_deliver {
	# Players on other sites fetch with scripts.
	set resp.http.Access-Control-Allow-Origin = "*";
	set resp.http.Access-Control-Expose-Headers =
	    "Content-Length, Content-Range";
}

sub vcl_synth {
	if (resp.status == 204) {
		set resp.http.Access-Control-Allow-Origin = "*";
		set resp.http.Access-Control-Allow-Methods = "GET, HEAD";
		set resp.http.Access-Control-Allow-Headers = "Range";
		set resp.http.Access-Control-Max-Age = "86400";
		return (deliver);
	}
}
