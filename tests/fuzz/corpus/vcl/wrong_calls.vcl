vcl 4.1;
backend default { .host = "x"; }
sub foo { return (hash); set beresp.ttl = 5s; }
sub bar { call foo; }
sub vcl_recv { call foo; }
sub vcl_deliver { return (hash); call bar; unset obj.http.x; }
sub unused {}
