vcl 4.0;
backend b none;
acl a +log -pedantic { !("x"/8); "10.1"; "::1"/128; "1.2.3.4/33"; }
sub vcl_recv { if (client.ip !~ a) { return (vcl(x)); } }
