vcl 4.1;
backend b none;
sub vcl_synth { set resp.body = {"a"b"} """c"d""" + 1 - 2 * -3 / 4 % 5; synthetic(now + 1.5h - 2ms); }
sub vcl_backend_error { set beresp.body = :AAECAw==:; }
