vcl 4.1;
backend b { .path = "/x"; .probe = { .window = 9; .threshold = 10; } }
probe default { .request = "a" "b"; }
