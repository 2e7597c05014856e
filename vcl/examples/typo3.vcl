# typo3.vcl - TYPO3 with the extension varnish (opsone-ch), or one that bans by
# X-Cache-Tags.
#
# Each page says whose it is: TYPO3-Sitename and TYPO3-Pid.  When an editor
# changes something, TYPO3 sends BAN with
#
#     Varnish-Ban-TYPO3-Sitename: <site>
#
# and one of
#
#     Varnish-Ban-TYPO3-Pid: <page>
#     Varnish-Ban-All: 1              (without a site: of all)
#     xkey-purge: <tags>
#     X-Cache-Tags: an expression

vcl 4.1;

import std;
import xkey;

backend default {
	.host = "127.0.0.1";
	.port = "8080";
	.first_byte_timeout = 60s;
}

# The host that TYPO3 runs on.
acl purgers {
	"localhost";
}

sub vcl_recv {
	if (req.method == "BAN" || req.method == "PURGE") {
		if (client.ip !~ purgers) {
			return (synth(405, "Not allowed"));
		}
		if (req.method == "PURGE") {
			return (purge);
		}
		call ban_request;
	}
	if (req.method != "GET" && req.method != "HEAD") {
		return (pass);
	}
	# Editors.
	if (req.url ~ "^/typo3(/|\?|$)" || req.http.Cookie ~ "be_typo_user=") {
		return (pass);
	}
	# Files of the site are the same for everybody.
	if (req.url ~ "^/(typo3temp|typo3conf|fileadmin|uploads|_assets)/") {
		unset req.http.Cookie;
		return (hash);
	}
	# Only who has logged in makes a difference.
	if (req.http.Cookie ~ "fe_typo_user=") {
		return (pass);
	}
	unset req.http.Cookie;
	set req.url = std.querysort(req.url);
}

sub ban_request {
	if (req.http.X-Cache-Tags) {
		if (!std.ban("obj.http.X-Cache-Tags ~ " +
		    req.http.X-Cache-Tags)) {
			return (synth(400, std.ban_error()));
		}
		return (synth(200, "Banned by tags"));
	}
	if (req.http.xkey-purge) {
		set req.http.n-gone = xkey.purge(req.http.xkey-purge);
		return (synth(200, "Banned " + req.http.n-gone + " objects"));
	}
	if (req.http.Varnish-Ban-All == "1" &&
	    !req.http.Varnish-Ban-TYPO3-Sitename) {
		if (!std.ban("req.url ~ /")) {
			return (synth(400, std.ban_error()));
		}
		return (synth(200, "Banned all"));
	}
	if (!req.http.Varnish-Ban-TYPO3-Sitename) {
		return (synth(400, "No Varnish-Ban header"));
	}
	# A page is a tag: its purge costs the same however often it is cached.
	if (req.http.Varnish-Ban-TYPO3-Pid) {
		set req.http.n-gone = xkey.purge("typo3:" +
		    req.http.Varnish-Ban-TYPO3-Sitename + ":" +
		    req.http.Varnish-Ban-TYPO3-Pid);
	} else {
		set req.http.n-gone = xkey.purge("typo3:" +
		    req.http.Varnish-Ban-TYPO3-Sitename);
	}
	return (synth(200, "Banned " + req.http.n-gone + " objects"));
}

sub vcl_backend_response {
	if (beresp.status >= 500 && bereq.is_bgfetch) {
		return (abandon);
	}
	if (beresp.http.TYPO3-Sitename) {
		set beresp.tags = "typo3:" + beresp.http.TYPO3-Sitename;
		if (beresp.http.TYPO3-Pid) {
			set beresp.tags = beresp.tags + " typo3:" +
			    beresp.http.TYPO3-Sitename + ":" +
			    beresp.http.TYPO3-Pid;
		}
	}
	unset beresp.http.TYPO3-Sitename;
	unset beresp.http.TYPO3-Pid;
	set beresp.grace = 6h;
}

sub vcl_deliver {
	unset resp.http.X-Cache-Tags;
	unset resp.http.X-TYPO3-Parsetime;
}
