# magento.vcl - Magento 2 and its kin: a shop with invalidation by tags.
#
# A page has the tags of the products and categories on it (X-Magento-Tags).
# When one changes, the shop sends PURGE with X-Magento-Tags-Pattern, an
# expression such as ((^|,)cat_p_17(,|$)).  Where that is only a list of tags,
# they are purged, at the same cost for any number of pages; ".*" and other
# expressions become bans.
#
# Customer groups, currencies and stores that see other pages have a cookie,
# X-Magento-Vary, that is part of the key.

vcl 4.1;

import std;
import xkey;

backend default {
	.host = "127.0.0.1";
	.port = "8080";
	.first_byte_timeout = 600s;
}

# The hosts that the shop runs on.
acl purgers {
	"localhost";
}

sub vcl_recv {
	if (req.method == "PURGE") {
		call purge_request;
	}
	if (req.method != "GET" && req.method != "HEAD") {
		return (pass);
	}
	if (req.url ~ "/(checkout|customer|multishipping|sales|wishlist)(/|\?|$)" ||
	    req.url ~ "^/(rest|soap|admin[^/]*|pub/health_check\.php)(/|\?|$)") {
		return (pass);
	}
	set req.url = regsuball(req.url,
	    "(?<=[?&])(gclid|cx|ie|cof|siteurl|zanpid|origin|fbclid|mc_[a-z]+|utm_[a-z]+|_bta_[a-z]+)=[^&]*&?",
	    "");
	set req.url = regsub(req.url, "[?&]$", "");
	set req.url = std.querysort(req.url);

	# Files have their version in the path.
	if (req.url ~ "^/(pub/)?(media|static)/") {
		unset req.http.Cookie;
		return (hash);
	}
	# The page is the same for all of a group; what is a customer's own is
	# asked for by scripts.
	if (req.http.Cookie ~ "X-Magento-Vary=") {
		set req.http.X-Vary = regsub(req.http.Cookie,
		    "^.*?X-Magento-Vary=([^;]+).*$", "\1");
	} else {
		unset req.http.X-Vary;
	}
	# With a token, a query's answer is one customer's.
	if (req.url ~ "^/graphql" && req.http.Authorization ~ "^Bearer") {
		return (pass);
	}
	return (hash);
}

sub purge_request {
	if (client.ip !~ purgers) {
		return (synth(405, "Method not allowed"));
	}
	if (!req.http.X-Magento-Tags-Pattern) {
		return (purge);
	}
	if (req.http.X-Magento-Tags-Pattern ~
	    "^\(\(\^\|,\)[\w.-]+\(,\|\$\)\)(\|\(\(\^\|,\)[\w.-]+\(,\|\$\)\))*$") {
		set req.http.n-gone = xkey.purge(regsuball(
		    req.http.X-Magento-Tags-Pattern, "[(^|,$)]+", " "));
		return (synth(200, req.http.n-gone + " purged"));
	}
	if (!std.ban("obj.http.X-Tags ~ " +
	    req.http.X-Magento-Tags-Pattern)) {
		return (synth(400, std.ban_error()));
	}
	return (synth(200, "Banned"));
}

sub vcl_hash {
	if (req.http.X-Vary) {
		hash_data(req.http.X-Vary);
	}
	hash_data(req.http.X-Forwarded-Proto);
	# Stores and currencies of a query.
	if (req.url ~ "^/graphql") {
		hash_data(req.http.Store);
		hash_data(req.http.Content-Currency);
	}
}

sub vcl_backend_fetch {
	unset bereq.http.X-Vary;
}

sub vcl_backend_response {
	if (beresp.status >= 500 && bereq.is_bgfetch) {
		return (abandon);
	}
	set beresp.grace = 3d;
	if (beresp.http.X-Magento-Tags) {
		set beresp.tags = beresp.http.X-Magento-Tags;
		# For bans by expression.
		set beresp.http.X-Tags = beresp.http.X-Magento-Tags;
		unset beresp.http.X-Magento-Tags;
	}
	if (beresp.status != 200 && beresp.status != 404) {
		set beresp.ttl = 0s;
		set beresp.uncacheable = true;
		return (deliver);
	}
	if (beresp.http.Cache-Control ~ "private" || bereq.uncacheable) {
		set beresp.uncacheable = true;
		set beresp.ttl = 1d;
		return (deliver);
	}
	unset beresp.http.Set-Cookie;
}

sub vcl_deliver {
	unset resp.http.X-Tags;
	unset resp.http.X-Powered-By;
	unset resp.http.X-Magento-Cache-Control;
	# Browsers ask again for pages; files they may keep.
	if (req.url !~ "^/(pub/)?(media|static)/" &&
	    resp.http.Cache-Control !~ "private") {
		set resp.http.Pragma = "no-cache";
		set resp.http.Expires = "-1";
		set resp.http.Cache-Control =
		    "no-store, no-cache, must-revalidate, max-age=0";
	}
}
