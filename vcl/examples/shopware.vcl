# shopware.vcl - Shopware 6, with invalidation by tags.
#
# Each page has its tags in the header xkey.  Shopware sends
#
#     PURGE with xkey: tags          these tags (soft: they stay as stale)
#     PURGE /path                    one URL
#     BAN /                          all; BAN /path: what begins so
#
# A visitor's group, currency and cart are in the cookies sw-cache-hash,
# sw-currency and sw-states.

vcl 4.1;

import std;
import cookie;
import xkey;

backend default {
	.host = "127.0.0.1";
	.port = "8080";
	.first_byte_timeout = 60s;
}

# The hosts that the shop runs on.
acl purgers {
	"localhost";
}

sub vcl_recv {
	if (req.method == "PURGE" || req.method == "BAN") {
		if (client.ip !~ purgers) {
			return (synth(403, "Forbidden"));
		}
		call purge_request;
	}
	if (req.method != "GET" && req.method != "HEAD") {
		return (pass);
	}
	# The shop's own and its customers' things.
	if (req.url ~ "^/(admin|api|store-api|checkout|account|widgets/checkout)(/|\?|$)") {
		return (pass);
	}
	if (req.url ~ "^/(theme|media|thumbnail|bundles|sitemap)/") {
		unset req.http.Cookie;
		return (hash);
	}
	set req.url = regsuball(req.url,
	    "(?<=[?&])(utm_[a-z]+|gclid|fbclid|msclkid|pk_[a-z]+|mc_[a-z]+)=[^&]*&?",
	    "");
	set req.url = regsub(req.url, "[?&]$", "");
	set req.url = std.querysort(req.url);

	cookie.parse(req.http.Cookie);
	set req.http.X-Cache-Hash = cookie.get("sw-cache-hash");
	set req.http.X-Currency = cookie.get("sw-currency");
	set req.http.X-States = cookie.get("sw-states");
	return (hash);
}

sub purge_request {
	if (req.method == "BAN") {
		if (!std.ban("req.url ~ " + regsub(req.url, "^/?", "^/"))) {
			return (synth(400, std.ban_error()));
		}
		return (synth(200, "Banned"));
	}
	if (!req.http.xkey) {
		return (purge);
	}
	if (req.http.X-Soft) {
		set req.http.n-gone = xkey.softpurge(req.http.xkey);
	} else {
		set req.http.n-gone = xkey.purge(req.http.xkey);
	}
	return (synth(200, "Invalidated " + req.http.n-gone + " objects"));
}

sub vcl_hash {
	# With a customer or a cart, pages are those of his rules; else all of a
	# currency see the same.
	if (req.http.X-Cache-Hash ~ ".") {
		hash_data("context=" + req.http.X-Cache-Hash);
	} elseif (req.http.X-Currency ~ ".") {
		hash_data("currency=" + req.http.X-Currency);
	}
}

sub vcl_hit {
	# Some pages are for those without a cart or an account.
	if (req.http.X-States ~ "logged-in" &&
	    obj.http.sw-invalidation-states ~ "logged-in") {
		return (pass);
	}
	if (req.http.X-States ~ "cart-filled" &&
	    obj.http.sw-invalidation-states ~ "cart-filled") {
		return (pass);
	}
}

sub vcl_backend_fetch {
	unset bereq.http.X-Cache-Hash;
	unset bereq.http.X-Currency;
	unset bereq.http.X-States;
}

sub vcl_backend_response {
	if (beresp.status >= 500 && bereq.is_bgfetch) {
		return (abandon);
	}
	set beresp.grace = 3d;
}

sub vcl_deliver {
	# Browsers ask again for pages: only we are told of changes.
	if (resp.http.Cache-Control !~ "private" &&
	    req.url !~ "^/(theme|media|thumbnail|bundles)/") {
		set resp.http.Cache-Control =
		    "no-cache, no-store, must-revalidate, max-age=0";
	}
	unset resp.http.xkey;
	unset resp.http.sw-invalidation-states;
	unset resp.http.X-Powered-By;
}
