# devicedetect.vcl - which kind of device asks, by its User-Agent.
#
#	include "devicedetect.vcl";
#	sub vcl_recv { call devicedetect; }
#
# sets req.http.X-UA-Device to one of
#
#	pc
#	mobile-iphone mobile-android mobile-firefoxos mobile-smartphone
#	mobile-generic
#	tablet-ipad tablet-android tablet-kindle tablet-microsoft tablet-rim
#	tablet-hp
#	bot mobile-bot
#
# or to what a cookie X-UA-Device-force=... says, which is for testing a site
# and is taken out of Cookie.
#
# What it is good for is up to the policy: another backend, another URL, or a
# page for each. In the last case the origin says "Vary: X-UA-Device", and
# vcl_deliver makes that "Vary: User-Agent" for the caches beyond:
#
#	set resp.http.Vary = regsub(resp.http.Vary, "(?i)X-UA-Device",
#	    "User-Agent");

sub devicedetect {
	set req.http.X-UA-Device = "pc";
	if (req.http.Cookie ~ "(^|;\s*)X-UA-Device-force=[\w-]+") {
		set req.http.X-UA-Device = regsub(req.http.Cookie,
		    "^(.*;\s*)?X-UA-Device-force=([\w-]+).*$", "\2");
		set req.http.Cookie = regsub(req.http.Cookie,
		    "(^|;\s*)X-UA-Device-force=[\w-]+(;\s*|$)", "\1");
		set req.http.Cookie = regsub(req.http.Cookie, ";\s*$", "");
		if (req.http.Cookie == "") {
			unset req.http.Cookie;
		}
		return;
	}

	# What pretends to be others comes before these: robots show the name
	# of a telephone, Windows Phone those of Android and iPhone.
	if (req.http.User-Agent ~ "(?i)(bot\b|crawler|spider|slurp|archiver|"
	    "mediapartners|externalhit|bingpreview|lighthouse)") {
		if (req.http.User-Agent ~ "(?i)\b(mobile|android|iphone)\b") {
			set req.http.X-UA-Device = "mobile-bot";
		} else {
			set req.http.X-UA-Device = "bot";
		}
	} elsif (req.http.User-Agent ~
	    "(?i)(windows phone|iemobile|blackberry|\bbb10\b|symbian|"
	    "series60|webos|maemo|palmos)") {
		set req.http.X-UA-Device = "mobile-smartphone";
		if (req.http.User-Agent ~ "(?i)(hp-?tablet|touchpad)") {
			set req.http.X-UA-Device = "tablet-hp";
		}
	} elsif (req.http.User-Agent ~ "(?i)playbook") {
		set req.http.X-UA-Device = "tablet-rim";
	} elsif (req.http.User-Agent ~ "iPad") {
		set req.http.X-UA-Device = "tablet-ipad";
	} elsif (req.http.User-Agent ~ "(iPhone|iPod)") {
		set req.http.X-UA-Device = "mobile-iphone";
	} elsif (req.http.User-Agent ~ "(Kindle|\bSilk\b|; KF[A-Z]{2,5}\b)") {
		set req.http.X-UA-Device = "tablet-kindle";
	} elsif (req.http.User-Agent ~ "(?i)android") {
		if (req.http.User-Agent ~ "(?i)\bmobile\b") {
			set req.http.X-UA-Device = "mobile-android";
		} else {
			set req.http.X-UA-Device = "tablet-android";
		}
	} elsif (req.http.User-Agent ~ "^Mozilla/\S+ \(Mobile; .*Gecko/") {
		set req.http.X-UA-Device = "mobile-firefoxos";
	} elsif (req.http.User-Agent ~ "Windows NT [\d.]+;.*\b(ARM|Tablet PC)\b"
	    ".*\bTouch\b|Windows NT [\d.]+;.*\bTouch\b.*\b(ARM|Tablet PC)\b") {
		set req.http.X-UA-Device = "tablet-microsoft";
	} elsif (req.http.User-Agent ~
	    "(?i)(\bmobile\b|\bphone\b|opera mini|opera mobi|j2me|midp|"
	    "\bwap\b|nokia|smartphone)") {
		set req.http.X-UA-Device = "mobile-generic";
	}
}
