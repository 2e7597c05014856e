vcl 4.1;
import std;
backend default { .host = "x"; }
backend b2 { .host = "x"; .probe = nope; }
acl a { "1.2.3.4"/32; "x"; }
sub foo { return (hash); set beresp.ttl = 5s; call bar; }
sub bar { call foo; }
sub vcl_recv { call fo; call foo; new x = std.foo(); 
	if (beresp.status == 200) {} set req.http.foo.bar = "x"; set obj.ttl = 5s; unset now; set req.esi = true; hash_data("x");
}
sub vcl_deliver { return (hash); return; }
sub vcl_backend_fetch { set bereq.http.host = req.http.host; std.nope(); std.tolower(); std.tolower("a","b"); std.random(lo=1, hj=2); set bereq.http.x = std.log("x"); }
