vcl 4.1;
import std;
backend b none;
sub vcl_init { new x = std.y(1, a=2); }
sub a { call b; } sub b { call a; }
