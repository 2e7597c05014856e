/*
 * What the built-in subs are for, and what follows what they return: for
 * vcl-steps(7).
 *
 * VCL_SUB_DOC(sub, doc), followed by one for each of its verdicts, those that
 * mean the same in every sub (VCL_FOLLOWS_ALL) left out:
 * VCL_FOLLOWS(sub, verdict, doc)
 *
 * That each verdict of tbl/vcl_subs.h is there is checked when the page is
 * made.
 */
VCL_FOLLOWS_ALL(FAIL, "The transaction has failed: on the client's side vcl_synth makes a 503; a fetch ends, and the client's request goes on to vcl_synth with 503; a program whose vcl_init fails is not loaded.")
VCL_FOLLOWS_ALL(SYNTH, "vcl_synth makes the response, with this status and reason.")
VCL_FOLLOWS_ALL(RESTART, "The request begins anew in vcl_recv as policy left it, unless that happened max_restarts times: then vcl_synth makes a 503.")
VCL_FOLLOWS_ALL(ABANDON, "The fetch ends without a response; the client's request, if one waits, goes on to vcl_synth with 503.")
VCL_FOLLOWS_ALL(RETRY, "The fetch begins anew in vcl_backend_fetch with bereq as policy left it, unless that happened max_retries times, or a request's body was sent and is gone: then it fails.")
VCL_FOLLOWS_ALL(ERROR, "vcl_backend_error makes the response, with this status and reason, or 503.")

VCL_SUB_DOC(RECV, "The head of a request has come, or a request was restarted. Policy makes req what the cache should see: clean URLs and cookies make hits, and req.backend_hint says who is asked.")
VCL_FOLLOWS(RECV, HASH, "vcl_hash makes the key, and the key is looked up: vcl_hit, vcl_miss or, for a hit-for-pass object, vcl_pass.")
VCL_FOLLOWS(RECV, PASS, "After vcl_hash: vcl_pass. The origin is asked, and the response is not kept.")
VCL_FOLLOWS(RECV, PIPE, "After vcl_hash: vcl_pipe.")
VCL_FOLLOWS(RECV, PURGE, "After vcl_hash: every variant of the key is removed, on disk before the answer; then vcl_purge.")
VCL_FOLLOWS(RECV, VCL, "The request, as it came, begins again in vcl_recv of the program that has this label.")

VCL_SUB_DOC(HASH, "Policy says, with hash_data(), what makes up the cache key.")
VCL_FOLLOWS(HASH, LOOKUP, "What vcl_recv asked for goes on.")

VCL_SUB_DOC(HIT, "There is an object: fresh, or stale within its grace.")
VCL_FOLLOWS(HIT, DELIVER, "vcl_deliver. If the object is stale and nobody refreshes it yet, a fetch does in the background.")
VCL_FOLLOWS(HIT, PASS, "vcl_pass, as if there were no object.")
VCL_FOLLOWS(HIT, MISS, "vcl_miss, as if req.hash_always_miss were set: of older VCL, with a warning. The same is said with fetch there.")

VCL_SUB_DOC(MISS, "There is no object that may be used. Others who ask for the same key wait for the fetch of this one.")
VCL_FOLLOWS(MISS, FETCH, "The origin is asked: vcl_backend_fetch. The response goes to vcl_deliver as soon as its head is there.")
VCL_FOLLOWS(MISS, PASS, "vcl_pass: the response is not kept, and those who wait are let go.")

VCL_SUB_DOC(PASS, "The cache is not to be used for this request.")
VCL_FOLLOWS(PASS, FETCH, "The origin is asked with the request as it is, its method, its body and its conditions: vcl_backend_fetch; then vcl_deliver.")

VCL_SUB_DOC(PURGE, "The key's variants were removed.")

VCL_SUB_DOC(PIPE, "From here on bytes are relayed both ways between client and backend, unseen; bereq is the head that will be sent.")
VCL_FOLLOWS(PIPE, PIPE, "That begins. When it ends, both connections are closed.")

VCL_SUB_DOC(DELIVER, "A response is about to be sent; resp is its head.")
VCL_FOLLOWS(DELIVER, DELIVER, "It is sent.")

VCL_SUB_DOC(SYNTH, "Policy makes a response: after synth(...), a purge, or a failure on the client's side. A status of four digits is told apart here and sent as its last three.")
VCL_FOLLOWS(SYNTH, DELIVER, "It is sent. It is never kept.")

VCL_SUB_DOC(BACKEND_FETCH, "A request to the origin is about to be sent; bereq is its head. It was made from req, and for an object that may be kept its method is GET, with a condition if a stale object can be confirmed.")
VCL_FOLLOWS(BACKEND_FETCH, FETCH, "It is sent to bereq.backend. What the origin answers goes to vcl_backend_response, or to vcl_backend_refresh if it confirms the stale object; if it does not answer: vcl_backend_error.")

VCL_SUB_DOC(BACKEND_RESPONSE, "The head of the origin's response is there, and beresp.ttl is set from it as RFC 9111 says. Policy decides for how long the object is kept, where, and with which tags.")
VCL_FOLLOWS(BACKEND_RESPONSE, DELIVER, "The body is received; the client's request goes on with vcl_deliver. With beresp.uncacheable the object is not kept, and for beresp.ttl its key is hit-for-miss: nobody waits for others.")
VCL_FOLLOWS(BACKEND_RESPONSE, PASS, "The same, but the key is hit-for-pass: lookups go to vcl_pass for the time that is given, or beresp.ttl.")

VCL_SUB_DOC(BACKEND_REFRESH, "The origin confirmed the stale object with a 304: beresp is the head of that 304, obj_stale the object.")
VCL_FOLLOWS(BACKEND_REFRESH, MERGE, "The object's head with the fields of the 304 is the response's; then vcl_backend_response.")
VCL_FOLLOWS(BACKEND_REFRESH, BERESP, "beresp as policy left it is the response's head, but for Content-Length, Content-Encoding, ETag and Last-Modified, which are the object's, and the object's status; then vcl_backend_response.")
VCL_FOLLOWS(BACKEND_REFRESH, OBJ_STALE, "The object's head as it is; then vcl_backend_response.")

VCL_SUB_DOC(BACKEND_ERROR, "The origin did not answer, or policy returned error(...). beresp is made here.")
VCL_FOLLOWS(BACKEND_ERROR, DELIVER, "The client's request goes on with vcl_deliver. It is kept only if policy sets beresp.ttl, or shortly if others wait for the same key.")

VCL_SUB_DOC(INIT, "The program is being loaded. Here, module objects are made with new.")
VCL_FOLLOWS(INIT, OK, "It is loaded.")

VCL_SUB_DOC(FINI, "The program was discarded and its last request has ended.")
VCL_FOLLOWS(FINI, OK, "It is unloaded.")
