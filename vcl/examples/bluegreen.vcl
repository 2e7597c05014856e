# bluegreen.vcl - two releases side by side, and a gradual shift between them.
#
# Blue runs; green is new.  A tenth of those who come get green (green_share
# below; load the program with another number to go on, with 0 to go back).
# Who got one keeps it, by a cookie, as long as that release is well; testers
# choose by "X-Release: green".  Each release has its own objects in the cache,
# so nobody sees a page of one with the scripts of the other.
#
#     sed 's/< 10.0/< 50.0/' bluegreen.vcl >half.vcl
#     copaladm vcl.load half half.vcl && copaladm vcl.use half

vcl 4.1;

import std;

probe health {
	.url = "/health";
	.interval = 2s;
	.timeout = 1s;
	.window = 4;
	.threshold = 3;
	.initial = 3;
}

backend blue {
	.host = "127.0.0.1";
	.port = "8081";
	.probe = health;
}

backend green {
	.host = "127.0.0.1";
	.port = "8082";
	.probe = health;
}

# The share of new visitors who get green, in percent.
sub green_share {
	if (std.random(0, 100) < 10.0) {
		set req.http.X-Release = "green";
	}
}

sub vcl_recv {
	if (req.restarts == 0) {
		call choose_release;
	}
	if (req.http.X-Release == "green") {
		set req.backend_hint = green;
	} else {
		set req.backend_hint = blue;
	}
}

sub choose_release {
	# What a tester wants is kept for him only.
	if (req.http.X-Release ~ "^(blue|green)$") {
		return;
	}
	set req.http.X-Release = "blue";
	if (req.http.Cookie ~ "(^|;\s*)release=(blue|green)\s*(;|$)") {
		set req.http.X-Release = regsub(req.http.Cookie,
		    "^(?:.*;\s*)?release=(blue|green)\s*(?:;.*)?$", "\1");
	} else {
		call green_share;
		set req.http.X-Release-New = "1";
	}
	# The cookie is ours: a page does not depend on it otherwise.
	set req.http.Cookie = regsuball(req.http.Cookie,
	    "(^|;\s*)release=[^;]*", "");
	set req.http.Cookie = regsub(req.http.Cookie, "^[;\s]+", "");
	if (req.http.Cookie == "") {
		unset req.http.Cookie;
	}
	# A sick release is left, and the cookie with it.
	if (req.http.X-Release == "green" && !std.healthy(green)) {
		set req.http.X-Release = "blue";
		set req.http.X-Release-New = "1";
	} elseif (req.http.X-Release == "blue" && !std.healthy(blue) &&
	    std.healthy(green)) {
		set req.http.X-Release = "green";
		set req.http.X-Release-New = "1";
	}
}

sub vcl_hash {
	hash_data(req.http.X-Release);
}

sub vcl_deliver {
	if (req.http.X-Release-New) {
		# In what is sent, not in what is stored.
		set resp.http.Set-Cookie = "release=" + req.http.X-Release +
		    "; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax";
		set resp.http.Cache-Control = "private, max-age=0";
	}
	set resp.http.X-Release = req.http.X-Release;
}
