# wordpress.vcl - WordPress, with or without WooCommerce.
#
# Visitors get cached pages; who is logged in, has commented, has a cart, or
# has entered a page's password gets his own.  The usual purge plugins work:
# they send PURGE for a URL, or with "X-Purge-Method: regex" for all URLs of
# the site that match.
#
# WordPress must see the visitor's address and scheme: X-Forwarded-For is set
# by Copal, X-Forwarded-Proto by what ends TLS in front of it.

vcl 4.1;

import std;

backend default {
	.host = "127.0.0.1";
	.port = "8080";
	.first_byte_timeout = 60s;
}

# The host that WordPress runs on, as its plugin purges.
acl purgers {
	"localhost";
}

sub vcl_recv {
	set req.http.Host = regsub(req.http.Host, ":\d+$", "");

	if (req.method == "PURGE") {
		call purge_request;
	}

	# A script's way in, and a way to guess passwords.
	if (req.url ~ "^/xmlrpc\.php") {
		return (synth(403, "Forbidden"));
	}

	# What statistics add to links makes no other page.
	set req.url = regsuball(req.url,
	    "(?<=[?&])(utm_[a-z]+|gclid|fbclid|msclkid|mc_[a-z]+|_ga)=[^&]*&?",
	    "");
	set req.url = regsub(req.url, "[?&]$", "");
	set req.url = std.querysort(req.url);

	if (req.method != "GET" && req.method != "HEAD") {
		return (pass);
	}

	# Files are the same for everybody.
	if (req.url ~ "(?i)^[^?]*\.(css|js|png|jpe?g|gif|webp|avif|svg|ico|woff2?|ttf|pdf|mp4|zip)(\?|$)") {
		unset req.http.Cookie;
		return (hash);
	}

	# Pages that are made for one user, or must be new.
	if (req.url ~ "^/wp-(admin|login\.php|cron\.php|json)" ||
	    req.url ~ "^/(cart|checkout|my-account)(/|\?|$)" ||
	    req.url ~ "[?&](preview|add-to-cart|wc-ajax|wc-api)=") {
		return (pass);
	}
	if (req.http.Cookie ~ "(wordpress_(sec_|logged_in_)|wp-postpass_|comment_author_|woocommerce_(cart_hash|items_in_cart)|wp_woocommerce_session_)") {
		return (pass);
	}
	# All other cookies are the browser's own business.
	unset req.http.Cookie;
}

sub purge_request {
	if (client.ip !~ purgers) {
		return (synth(403, "Forbidden"));
	}
	if (req.http.X-Purge-Method != "regex") {
		return (purge);
	}
	if (!std.ban("req.http.host == " + req.http.Host +
	    " && req.url ~ " + req.url)) {
		return (synth(400, std.ban_error()));
	}
	return (synth(200, "Banned"));
}

sub vcl_backend_response {
	if (beresp.status >= 500 && bereq.is_bgfetch) {
		return (abandon);
	}
	# Plugins set cookies for everybody; on pages for one user they stay.
	if (!bereq.uncacheable) {
		unset beresp.http.Set-Cookie;
		if (beresp.status == 404) {
			set beresp.ttl = 30s;
		} elseif (beresp.status < 400 && beresp.ttl <= 120s &&
		    beresp.http.Cache-Control !~ "no-cache|no-store|private") {
			set beresp.ttl = 10m;
		}
		set beresp.grace = 6h;
	}
}

sub vcl_deliver {
	unset resp.http.X-Powered-By;
	unset resp.http.X-Pingback;
	if (obj.hits > 0) {
		set resp.http.X-Cache = "HIT";
	} else {
		set resp.http.X-Cache = "MISS";
	}
}
