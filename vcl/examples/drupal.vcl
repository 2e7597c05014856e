# drupal.vcl - Drupal 8 and later, with invalidation by cache tags.
#
# Drupal says on each page which nodes, blocks and lists it was made of, in the
# header Cache-Tags (or Purge-Cache-Tags; the modules purge and
# purge_purger_http send it).  When one of these changes, Drupal sends
#
#     BAN / HTTP/1.1
#     Cache-Tags: node:17 node_list
#
# (or Purge-Cache-Tags: the name is set in the module's form),
# and every page with one of these tags is made anew, be there ten or a
# million.  PURGE removes one URL.

vcl 4.1;

import std;
import xkey;

backend default {
	.host = "127.0.0.1";
	.port = "8080";
	.first_byte_timeout = 60s;
}

# The host that Drupal runs on.
acl purgers {
	"localhost";
}

sub vcl_recv {
	if (req.method == "PURGE" || req.method == "BAN") {
		if (client.ip !~ purgers) {
			return (synth(403, "Forbidden"));
		}
		if (req.method == "PURGE") {
			return (purge);
		}
		if (req.http.Purge-Cache-Tags) {
			set req.http.Cache-Tags = req.http.Purge-Cache-Tags;
		}
		if (!req.http.Cache-Tags) {
			return (synth(400, "Cache-Tags is missing"));
		}
		# As a list, or as the "a|b" of older configurations.
		set req.http.n-gone = xkey.purge(
		    regsuball(req.http.Cache-Tags, "\|", " "));
		return (synth(200, req.http.n-gone + " invalidated"));
	}
	if (req.method != "GET" && req.method != "HEAD") {
		return (pass);
	}

	# Not for the world.
	if (req.url ~ "^/(cron|install|update|core/install|core/rebuild)\.php" &&
	    client.ip !~ purgers) {
		return (synth(404, "Not Found"));
	}
	# Pages that are never the same twice.
	if (req.url ~ "^/(admin|user|batch|system/ajax)(/|\?|$)" ||
	    req.url ~ "^/(node/add|node/\d+/(edit|delete))" ||
	    req.url ~ "[?&]ajax_form=") {
		return (pass);
	}
	# Files: those of private:// are asked for with their user's session.
	if (req.url ~ "(?i)^[^?]*\.(css|js|png|jpe?g|gif|webp|svg|ico|woff2?)(\?|$)" &&
	    req.url !~ "^/system/files") {
		unset req.http.Cookie;
		return (hash);
	}
	# Only a session makes a difference.
	if (req.http.Cookie ~ "(^|;\s*)(S?SESS[0-9a-zA-Z]+|NO_CACHE)=") {
		return (pass);
	}
	unset req.http.Cookie;
	set req.url = std.querysort(req.url);
}

sub vcl_backend_response {
	if (beresp.status >= 500 && bereq.is_bgfetch) {
		return (abandon);
	}
	if (beresp.http.Purge-Cache-Tags) {
		set beresp.tags = beresp.http.Purge-Cache-Tags;
	} elseif (beresp.http.Cache-Tags) {
		set beresp.tags = beresp.http.Cache-Tags;
	}
	# They are long, and for us alone.
	unset beresp.http.Purge-Cache-Tags;
	unset beresp.http.Cache-Tags;
	set beresp.grace = 6h;
}

sub vcl_deliver {
	unset resp.http.X-Generator;
	unset resp.http.X-Drupal-Cache;
	unset resp.http.X-Drupal-Dynamic-Cache;
	unset resp.http.X-Drupal-Cache-Tags;
	unset resp.http.X-Drupal-Cache-Contexts;
}
