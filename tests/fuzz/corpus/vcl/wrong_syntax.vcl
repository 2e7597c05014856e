vcl 4.1;
import std
backend default { .hots = "x"; .port = 99999; }
acl a { "1.2.3.4"/24; "x"; }
sub vcl_recv {
	if (req.ulr ~ "x") { return (hsah); }
	set req.url = 'x';
	set beresp.ttl = 5;
	set req.http.x = "a" "b"
	unset req.url;
	if (req.url = "x") { }
	if (req.url ~ "(abc") { }
	if (req.restarts > "3") { }
	if (client.ip ~ "x") {}
	if (req.url ~ a) {}
	error 404;
	call foo;
	return (deliver);
	retrun (hash);
	std.tolwoer("x");
	return (synth);
	set req.ttl = 10;
	C{ printf("x"); }C
	set req.http.foo = 5x;
}
sub vcl_fetch { }
