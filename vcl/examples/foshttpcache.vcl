# foshttpcache.vcl - Symfony and others with FOSHttpCache.
#
# The library sends
#
#     PURGE /path                          one URL
#     GET /path with Cache-Control: no-cache
#                                          one URL, fetched again at once
#     BAN with X-Host, X-Url, X-Content-Type: expressions, each may be left out
#     BAN with X-Cache-Tags: (^|,)(a|b\-1)(,|$)
#     PURGEKEYS with xkey-purge or xkey-softpurge: tags
#
# The headers X-Cache-Tags and xkey of a response are its tags.

vcl 4.1;

import std;
import xkey;

backend default {
	.host = "127.0.0.1";
	.port = "8080";
}

# The hosts that the application runs on.
acl purgers {
	"localhost";
}

sub vcl_recv {
	if (req.http.Cache-Control ~ "no-cache" && client.ip ~ purgers) {
		set req.hash_always_miss = true;
	}
	if (req.method == "PURGE" || req.method == "BAN" ||
	    req.method == "PURGEKEYS") {
		if (client.ip !~ purgers) {
			return (synth(405, "Not allowed"));
		}
		if (req.method == "PURGE") {
			return (purge);
		}
		if (req.method == "PURGEKEYS") {
			call purge_keys;
		} elseif (req.http.X-Cache-Tags) {
			call ban_tags;
		} else {
			call ban_request;
		}
	}
}

sub purge_keys {
	if (!req.http.xkey-purge && !req.http.xkey-softpurge) {
		return (synth(400, "Neither xkey-purge nor xkey-softpurge"));
	}
	set req.http.n-gone = "0";
	set req.http.n-stale = "0";
	if (req.http.xkey-purge) {
		set req.http.n-gone = xkey.purge(req.http.xkey-purge);
	}
	if (req.http.xkey-softpurge) {
		set req.http.n-stale = xkey.softpurge(req.http.xkey-softpurge);
	}
	return (synth(200, "Purged " + req.http.n-gone + " objects, expired " +
	    req.http.n-stale));
}

sub ban_tags {
	# A list of tags is purged: that costs the same for any number of pages.
	# The library puts a backslash before what an expression would take for
	# more than itself.
	if (req.http.X-Cache-Tags ~ "^\(\^\|,\)\(([\w:/|-]|\\[^\w|])+\)\(,\|\$\)$") {
		set req.http.X-Cache-Tags = regsub(req.http.X-Cache-Tags,
		    "^\(\^\|,\)\((.+)\)\(,\|\$\)$", "\1");
		set req.http.n-gone = xkey.purge(regsuball(regsuball(
		    req.http.X-Cache-Tags, "\|", " "), "\\", ""));
		return (synth(200, "Banned " + req.http.n-gone + " objects"));
	}
	if (!std.ban("obj.http.X-Cache-Tags ~ " + req.http.X-Cache-Tags)) {
		return (synth(400, std.ban_error()));
	}
	return (synth(200, "Banned"));
}

sub ban_request {
	if (!req.http.X-Host) {
		set req.http.X-Host = ".*";
	}
	if (!req.http.X-Url) {
		set req.http.X-Url = ".*";
	}
	if (!req.http.X-Content-Type) {
		set req.http.X-Content-Type = ".*";
	}
	if (!std.ban("obj.http.X-Host ~ " + req.http.X-Host +
	    " && obj.http.X-Url ~ " + req.http.X-Url +
	    " && obj.http.content-type ~ " + req.http.X-Content-Type)) {
		return (synth(400, std.ban_error()));
	}
	return (synth(200, "Banned"));
}

sub vcl_backend_response {
	# What bans go by.
	set beresp.http.X-Host = bereq.http.Host;
	set beresp.http.X-Url = bereq.url;
	# The application says for how long Copal keeps it, and nobody else.
	if (beresp.http.X-Reverse-Proxy-TTL) {
		set beresp.ttl = std.duration(
		    beresp.http.X-Reverse-Proxy-TTL + "s", 0s);
	}
}

sub vcl_deliver {
	unset resp.http.X-Host;
	unset resp.http.X-Url;
	unset resp.http.X-Cache-Tags;
	unset resp.http.xkey;
	unset resp.http.X-Reverse-Proxy-TTL;
}
