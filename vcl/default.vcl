# default.vcl - the policy that copald starts with.
#
# What is not said here is done as builtin.vcl has it: GET and HEAD without
# cookies and authorization are cached, for as long as the origin says.
# vcl(7) is the language.  After a change:
#
#     copaladm vcl.load new /etc/copal/default.vcl && copaladm vcl.use new

vcl 4.1;

# The web server that Copal stands in front of.
backend default {
	.host = "127.0.0.1";
	.port = "8080";
}

sub vcl_recv {
	# Here is the place to remove cookies that the site does not need, to
	# choose a backend, or to answer PURGE for those who may.
}

sub vcl_backend_response {
	# Here is the place to change beresp.ttl and beresp.grace, and to
	# remove Set-Cookie from what is the same for everybody.
}

sub vcl_deliver {
	# Here is the place to change the response's headers.
}
