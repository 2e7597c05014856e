/*
 * VCL's variables, as vcl-var(7) of Varnish 7.1 to 9.0 has them.
 *
 * VCL_VAR(c_name, name, TYPE, readable_in, writable_in, unsettable_in, doc)
 *
 * The three sets are masks that the includer's macros make up: VS(RECV) is
 * one sub of tbl/vcl_subs.h; VS_CLIENT, VS_BACKEND and VS_HOUSE are a side's
 * subs, VS_ALL is all of them and VS_NONE none.  VS_ONLY40 and VS_ONLY41,
 * or'ed in, restrict the access to programs of that syntax.
 *
 * The worker has, for each: if it is readable
 *	VCL_<TYPE> vrt_r_<c_name>(struct vcl_ctx *);
 * if it is writable
 *	void vrt_w_<c_name>(struct vcl_ctx *, VCL_<TYPE>);
 * or, for a BODY (append: +=, else what was there is replaced)
 *	void vrt_w_<c_name>(struct vcl_ctx *, bool append, VCL_STRING);
 * and if it can be unset
 *	void vrt_u_<c_name>(struct vcl_ctx *);
 *
 * Heads (req.http.*, and req itself as an HTTP) are in tbl/vcl_heads.h.
 * storage.<name> and its fields are calls: vcl_abi.h.
 */
VCL_VAR(client_identity, "client.identity", STRING, VS_CLIENT | VS_BACKEND, VS_CLIENT, VS_NONE, "Who the client is, for directors that keep a client on one backend. Defaults to client.ip.")
VCL_VAR(client_ip, "client.ip", IP, VS_CLIENT | VS_BACKEND, VS_NONE, VS_NONE, "The client's address: remote.ip, or what the PROXY protocol told.")
VCL_VAR(server_hostname, "server.hostname", STRING, VS_ALL, VS_NONE, VS_NONE, "The host's name, as gethostname(3) gives it.")
VCL_VAR(server_identity, "server.identity", STRING, VS_ALL, VS_NONE, VS_NONE, "The identity given by -i, else the host's name.")
VCL_VAR(server_ip, "server.ip", IP, VS_CLIENT | VS_BACKEND, VS_NONE, VS_NONE, "The address that the client connected to: local.ip, or what the PROXY protocol told.")
VCL_VAR(remote_ip, "remote.ip", IP, VS_CLIENT | VS_BACKEND, VS_NONE, VS_NONE, "The address at the other end of the TCP connection; 0.0.0.0:0 for a unix socket.")
VCL_VAR(local_endpoint, "local.endpoint", STRING, VS_CLIENT | VS_BACKEND | VS_ONLY41, VS_NONE, VS_NONE, "The address of the -a socket that the connection came in by, as it was given.")
VCL_VAR(local_ip, "local.ip", IP, VS_CLIENT | VS_BACKEND, VS_NONE, VS_NONE, "The address and port at our end of the TCP connection; 0.0.0.0:0 for a unix socket.")
VCL_VAR(local_socket, "local.socket", STRING, VS_CLIENT | VS_BACKEND | VS_ONLY41, VS_NONE, VS_NONE, "The name of the -a socket that the connection came in by.")
VCL_VAR(sess_idle_send_timeout, "sess.idle_send_timeout", DURATION, VS_CLIENT, VS_CLIENT, VS_CLIENT, "How long a send to the client may make no progress.")
VCL_VAR(sess_send_timeout, "sess.send_timeout", DURATION, VS_CLIENT, VS_CLIENT, VS_CLIENT, "How long sending one response may take.")
VCL_VAR(sess_timeout_idle, "sess.timeout_idle", DURATION, VS_CLIENT, VS_CLIENT, VS_CLIENT, "How long this connection may be idle between requests.")
VCL_VAR(sess_timeout_linger, "sess.timeout_linger", DURATION, VS_CLIENT, VS_CLIENT, VS_CLIENT, "Has no effect: a connection that waits costs no thread. It reads what was set, else the parameter.")
VCL_VAR(sess_xid, "sess.xid", INT, VS_CLIENT | VS_BACKEND | VS_ONLY41, VS_NONE, VS_NONE, "The connection's id.")
VCL_VAR(now, "now", TIME, VS_ALL, VS_NONE, VS_NONE, "The time; the same until the built-in sub has returned.")

VCL_VAR(req_backend_hint, "req.backend_hint", BACKEND, VS_CLIENT, VS_CLIENT, VS_NONE, "bereq.backend, if there is a fetch.")
VCL_VAR(req_can_gzip, "req.can_gzip", BOOL, VS_CLIENT, VS_NONE, VS_NONE, "Does the client accept gzip?")
VCL_VAR(req_esi, "req.esi", BOOL, VS_CLIENT | VS_ONLY40, VS_CLIENT | VS_ONLY40, VS_NONE, "Is ESI processed in the response? resp.do_esi from syntax 4.1.")
VCL_VAR(req_esi_level, "req.esi_level", INT, VS_CLIENT, VS_NONE, VS_NONE, "How deep this request is in ESI includes.")
VCL_VAR(req_filters, "req.filters", STRING, VS(RECV), VS(RECV), VS_NONE, "The filters that the request's body goes through on its way in; none but those of the transfer's coding are there, so it can be set to nothing only.")
VCL_VAR(req_grace, "req.grace", DURATION, VS_CLIENT, VS_CLIENT, VS_CLIENT, "An upper limit to the object's grace in this lookup; -1 when it is unset.")
VCL_VAR(req_hash, "req.hash", BLOB, VS(HIT) | VS(MISS) | VS(PASS) | VS(PURGE) | VS(DELIVER) | VS(SYNTH) | VS(PIPE), VS_NONE, VS_NONE, "SHA-256 of what hash_data() was given, with a NUL behind each, two if it is unset: what Varnish has, so that shard directors with by=HASH agree.")
VCL_VAR(req_hash_always_miss, "req.hash_always_miss", BOOL, VS_CLIENT, VS_CLIENT, VS_NONE, "Miss even if there is an object that would do.")
VCL_VAR(req_hash_ignore_busy, "req.hash_ignore_busy", BOOL, VS_CLIENT, VS_CLIENT, VS_NONE, "Do not wait for an object that is being fetched.")
VCL_VAR(req_hash_ignore_vary, "req.hash_ignore_vary", BOOL, VS_CLIENT, VS_CLIENT, VS_NONE, "Take the first object of the key, whatever its Vary says.")
VCL_VAR(req_is_hitmiss, "req.is_hitmiss", BOOL, VS(MISS) | VS(PASS) | VS(DELIVER) | VS(SYNTH), VS_NONE, VS_NONE, "Did the lookup find a hit-for-miss object?")
VCL_VAR(req_is_hitpass, "req.is_hitpass", BOOL, VS(PASS) | VS(DELIVER) | VS(SYNTH), VS_NONE, VS_NONE, "Did the lookup find a hit-for-pass object?")
VCL_VAR(req_ttl, "req.max_age", DURATION, VS_CLIENT, VS_CLIENT, VS_CLIENT, "req.ttl by its newer name.")
VCL_VAR(req_method, "req.method", STRING, VS_CLIENT, VS_CLIENT, VS_NONE, "The request's method.")
VCL_VAR(req_only_shared, "req.only_shared", BOOL, VS_CLIENT, VS_CLIENT, VS_NONE, "Take and keep only what the origin has said may be shared although the request has Authorization (RFC 9111 3.5)? builtin.vcl sets it for requests that have that.")
VCL_VAR(req_proto, "req.proto", STRING, VS_CLIENT, VS_CLIENT | VS_ONLY40, VS_NONE, "The request's HTTP version.")
VCL_VAR(req_restarts, "req.restarts", INT, VS_CLIENT, VS_NONE, VS_NONE, "How often this request was restarted.")
VCL_VAR(req_storage, "req.storage", STEVEDORE, VS_CLIENT, VS_CLIENT, VS_NONE, "Where the request's body is kept.")
VCL_VAR(req_time, "req.time", TIME, VS_CLIENT, VS_NONE, VS_NONE, "When the request came; a restart does not change it.")
VCL_VAR(req_trace, "req.trace", BOOL, VS_CLIENT, VS_CLIENT, VS_NONE, "Are the steps through VCL logged for this request?")
VCL_VAR(req_transport, "req.transport", STRING, VS_CLIENT, VS_NONE, VS_NONE, "The protocol that brought the request.")
VCL_VAR(req_ttl, "req.ttl", DURATION, VS_CLIENT, VS_CLIENT, VS_CLIENT, "An upper limit to the age of an object that may be a hit; -1 when it is unset.")
VCL_VAR(req_url, "req.url", STRING, VS_CLIENT, VS_CLIENT, VS_NONE, "The requested URL.")
VCL_VAR(req_xid, "req.xid", INT, VS_CLIENT, VS_NONE, VS_NONE, "The request's id.")
VCL_VAR(req0_method, "req0.method", STRING, VS_CLIENT, VS_NONE, VS_NONE, "The request's method as it was received.")
VCL_VAR(req0_proto, "req0.proto", STRING, VS_CLIENT, VS_NONE, VS_NONE, "The request's HTTP version as it was received.")
VCL_VAR(req0_url, "req0.url", STRING, VS_CLIENT, VS_NONE, VS_NONE, "The request's URL as it was received.")
VCL_VAR(req_top_method, "req_top.method", STRING, VS_CLIENT, VS_NONE, VS_NONE, "req.method of the request that the client sent.")
VCL_VAR(req_top_proto, "req_top.proto", STRING, VS_CLIENT, VS_NONE, VS_NONE, "req.proto of the request that the client sent.")
VCL_VAR(req_top_time, "req_top.time", TIME, VS_CLIENT, VS_NONE, VS_NONE, "req.time of the request that the client sent.")
VCL_VAR(req_top_url, "req_top.url", STRING, VS_CLIENT, VS_NONE, VS_NONE, "req.url of the request that the client sent.")

VCL_VAR(bereq_backend, "bereq.backend", BACKEND, VS(PIPE) | VS_BACKEND, VS(PIPE) | VS_BACKEND, VS_NONE, "The backend or director to fetch from.")
VCL_VAR(bereq_between_bytes_timeout, "bereq.between_bytes_timeout", DURATION, VS_BACKEND, VS_BACKEND, VS_BACKEND, "How long to wait for more of the body.")
VCL_VAR(bereq_body, "bereq.body", BODY, VS_NONE, VS_NONE, VS(BACKEND_FETCH), "The request's body. Unsetting it removes Content-Length too.")
VCL_VAR(bereq_connect_timeout, "bereq.connect_timeout", DURATION, VS(PIPE) | VS_BACKEND, VS(PIPE) | VS_BACKEND, VS(PIPE) | VS_BACKEND, "How long to wait for a connection.")
VCL_VAR(bereq_filters, "bereq.filters", STRING, VS(BACKEND_FETCH), VS(BACKEND_FETCH), VS_NONE, "The filters that the request's body goes through on its way to the backend; as req.filters.")
VCL_VAR(bereq_first_byte_timeout, "bereq.first_byte_timeout", DURATION, VS_BACKEND, VS_BACKEND, VS_BACKEND, "How long to wait for the head of the response.")
VCL_VAR(bereq_hash, "bereq.hash", BLOB, VS(PIPE) | VS_BACKEND, VS_NONE, VS_NONE, "The hash of the lookup key: req.hash.")
VCL_VAR(bereq_is_bgfetch, "bereq.is_bgfetch", BOOL, VS_BACKEND, VS_NONE, VS_NONE, "Is this a background refresh of an object in grace?")
VCL_VAR(bereq_is_hitmiss, "bereq.is_hitmiss", BOOL, VS_BACKEND, VS_NONE, VS_NONE, "Is this the fetch of a hit-for-miss?")
VCL_VAR(bereq_is_hitpass, "bereq.is_hitpass", BOOL, VS_BACKEND, VS_NONE, VS_NONE, "Is this the fetch of a hit-for-pass?")
VCL_VAR(bereq_method, "bereq.method", STRING, VS(PIPE) | VS_BACKEND, VS(PIPE) | VS_BACKEND, VS_NONE, "The request's method; GET unless it is a pass or a pipe.")
VCL_VAR(bereq_proto, "bereq.proto", STRING, VS(PIPE) | VS_BACKEND, VS(PIPE) | VS_BACKEND | VS_ONLY40, VS_NONE, "The HTTP version to send.")
VCL_VAR(bereq_retries, "bereq.retries", INT, VS_BACKEND, VS_NONE, VS_NONE, "How often this fetch was retried.")
VCL_VAR(bereq_retry_connect, "bereq.retry_connect", BOOL, VS_BACKEND, VS_BACKEND, VS_NONE, "May a request that failed on a reused connection be sent again on a new one? Defaults to true; what is not idempotent is not sent again in any case.")
VCL_VAR(bereq_task_deadline, "bereq.task_deadline", DURATION, VS(PIPE), VS(PIPE), VS(PIPE), "How long the pipe may last at most, however busy it is; zero: for ever. Defaults to the parameter pipe_task_deadline.")
VCL_VAR(bereq_time, "bereq.time", TIME, VS(PIPE) | VS_BACKEND, VS_NONE, VS_NONE, "When this request was begun.")
VCL_VAR(bereq_trace, "bereq.trace", BOOL, VS_BACKEND, VS_BACKEND, VS_NONE, "Are the steps through VCL logged for this fetch?")
VCL_VAR(bereq_uncacheable, "bereq.uncacheable", BOOL, VS_BACKEND, VS_NONE, VS_NONE, "Is it known already that the response is not to be cached (a pass)?")
VCL_VAR(bereq_url, "bereq.url", STRING, VS(PIPE) | VS_BACKEND, VS(PIPE) | VS_BACKEND, VS_NONE, "The URL to fetch.")
VCL_VAR(bereq_xid, "bereq.xid", INT, VS(PIPE) | VS_BACKEND, VS_NONE, VS_NONE, "The fetch's id.")

VCL_VAR(beresp_age, "beresp.age", DURATION, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, VS_NONE, "The response's age.")
VCL_VAR(beresp_ask_first, "beresp.ask_first", BOOL, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "Is the origin asked first in grace, and the object served stale only if there is no answer? True to begin with if the origin gave a lifetime but no leave to serve it stale (RFC 9111 4.2.4); setting beresp.ttl makes it false, or true if to 0s, and setting beresp.grace makes it false while beresp.ttl is more than 0s, else true without leave of the origin.")
VCL_VAR(beresp_backend, "beresp.backend", BACKEND, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, VS_NONE, "The backend that answered.")
VCL_VAR(beresp_backend_ip, "beresp.backend.ip", IP, VS(BACKEND_RESPONSE) | VS_ONLY40, VS_NONE, VS_NONE, "The address of the backend that answered.")
VCL_VAR(beresp_backend_name, "beresp.backend.name", STRING, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, VS_NONE, "The name of the backend that answered.")
VCL_VAR(beresp_body, "beresp.body", BODY, VS_NONE, VS(BACKEND_ERROR), VS_NONE, "The body of a synthetic response.")
VCL_VAR(beresp_do_encode, "beresp.do_encode", BOOL, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "May the object be sent in the coding that the client takes best (parameter http_encoding)? Defaults to true; an object keeps it when the parameter is switched.")
VCL_VAR(beresp_do_esi, "beresp.do_esi", BOOL, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "Read the body for ESI? vcl(7) says what follows.")
VCL_VAR(beresp_do_gunzip, "beresp.do_gunzip", BOOL, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "Decompress the body before it is stored?")
VCL_VAR(beresp_do_gzip, "beresp.do_gzip", BOOL, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "Compress the body before it is stored? Not if its Cache-Control has no-transform.")
VCL_VAR(beresp_do_stream, "beresp.do_stream", BOOL, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "Deliver while the body is still being fetched? Defaults to true.")
VCL_VAR(beresp_esi_disable_xml_check, "beresp.esi_disable_xml_check", BOOL, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "May the body be parsed for ESI although it does not look like XML?")
VCL_VAR(beresp_esi_ignore_https, "beresp.esi_ignore_https", BOOL, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "Is https:// in an ESI include taken for http://?")
VCL_VAR(beresp_esi_ignore_other_elements, "beresp.esi_ignore_other_elements", BOOL, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "Is ESI inside of other tags carried out, too?")
VCL_VAR(beresp_esi_remove_bom, "beresp.esi_remove_bom", BOOL, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "Is a byte order mark removed from a body that is parsed for ESI?")
VCL_VAR(beresp_filters, "beresp.filters", STRING, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH), VS_NONE, "The filters that the body goes through on its way in, left to right.")
VCL_VAR(beresp_grace, "beresp.grace", DURATION, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "How long after its ttl the object may be delivered while it is being refreshed. What has no ttl, by the word of the origin or policy, is delivered so only by leave of the origin (stale-while-revalidate); else the origin is asked first, see beresp.ask_first.")
VCL_VAR(beresp_grants_stale, "beresp.grants_stale", BOOL, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, VS_NONE, "Does the origin itself let it be served stale while it is refreshed (stale-while-revalidate, RFC 5861)?")
VCL_VAR(beresp_keep, "beresp.keep", DURATION, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "How long after ttl and grace the object is kept for conditional requests.")
VCL_VAR(beresp_no_cache, "beresp.no_cache", BOOL, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, VS_NONE, "Does Cache-Control, or what stands in its place, say that it is not to be used again without being asked about (RFC 9111 5.2.2.4)? With a list of fields it does not.")
VCL_VAR(beresp_proto, "beresp.proto", STRING, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR) | VS_ONLY40, VS_NONE, "The response's HTTP version.")
VCL_VAR(beresp_reason, "beresp.reason", STRING, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "The response's reason phrase.")
VCL_VAR(beresp_status, "beresp.status", INT, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "The response's status; setting it sets the reason too.")
VCL_VAR(beresp_storage, "beresp.storage", STEVEDORE, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "The store that the object goes to; for a pass, which is not kept, Transient.")
VCL_VAR(beresp_storage_hint, "beresp.storage_hint", STRING, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR) | VS_ONLY40, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR) | VS_ONLY40, VS_NONE, "The name of the store that the object goes to. beresp.storage from syntax 4.1.")
VCL_VAR(beresp_storable, "beresp.storable", BOOL, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, VS_NONE, "May a shared cache keep it (RFC 9111 3)? By no-store, private, must-understand, and, for a request with req.only_shared, public, must-revalidate and s-maxage.")
VCL_VAR(beresp_tags, "beresp.tags", STRING, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "The tags that the object gets: words with white space or commas between. It can be purged by each of them (xkey.purge). A response that a 304 confirmed begins with those of the stored one.")
VCL_VAR(beresp_time, "beresp.time", TIME, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, VS_NONE, "When the head of the response was complete.")
VCL_VAR(beresp_transit_buffer, "beresp.transit_buffer", BYTES, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH), VS_NONE, "How far an uncacheable body may be read ahead of the client.")
VCL_VAR(beresp_ttl, "beresp.ttl", DURATION, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "How long the object is fresh from now; zero to begin with in a pass, which keeps nothing. Set to 0s: it is for those who wait for it now and not kept, unless policy sets beresp.keep.")
VCL_VAR(beresp_uncacheable, "beresp.uncacheable", BOOL, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, "Must the response not be cached? It can be set, not cleared; the object becomes hit-for-miss for its ttl.")
VCL_VAR(beresp_was_304, "beresp.was_304", BOOL, VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS_NONE, VS_NONE, "Was a stored response confirmed by a 304?")

VCL_VAR(obj_age, "obj.age", DURATION, VS(HIT) | VS(DELIVER), VS_NONE, VS_NONE, "The object's age.")
VCL_VAR(obj_can_esi, "obj.can_esi", BOOL, VS(HIT) | VS(DELIVER), VS_NONE, VS_NONE, "Is there ESI in the object, to be carried out when it is delivered?")
VCL_VAR(obj_grace, "obj.grace", DURATION, VS(HIT) | VS(DELIVER), VS_NONE, VS_NONE, "The object's grace.")
VCL_VAR(obj_hits, "obj.hits", INT, VS(HIT) | VS(DELIVER), VS_NONE, VS_NONE, "How often the object was a hit; 0 in vcl_deliver on a miss.")
VCL_VAR(obj_keep, "obj.keep", DURATION, VS(HIT) | VS(DELIVER), VS_NONE, VS_NONE, "The object's keep.")
VCL_VAR(obj_proto, "obj.proto", STRING, VS(HIT), VS_NONE, VS_NONE, "The stored response's HTTP version.")
VCL_VAR(obj_reason, "obj.reason", STRING, VS(HIT), VS_NONE, VS_NONE, "The stored response's reason phrase.")
VCL_VAR(obj_status, "obj.status", INT, VS(HIT), VS_NONE, VS_NONE, "The stored response's status.")
VCL_VAR(obj_storage, "obj.storage", STEVEDORE, VS(HIT) | VS(DELIVER), VS_NONE, VS_NONE, "The store that the object is in; of what is not kept, Transient.")
VCL_VAR(obj_tags, "obj.tags", STRING, VS(HIT) | VS(DELIVER), VS_NONE, VS_NONE, "The tags of the object, each once, in order, with one blank between.")
VCL_VAR(obj_time, "obj.time", TIME, VS(HIT) | VS(DELIVER), VS_NONE, VS_NONE, "When the origin made the object: now - obj.age, about.")
VCL_VAR(obj_ttl, "obj.ttl", DURATION, VS(HIT) | VS(DELIVER), VS_NONE, VS_NONE, "How long the object is still fresh; below zero when it is stale.")
VCL_VAR(obj_uncacheable, "obj.uncacheable", BOOL, VS(DELIVER), VS_NONE, VS_NONE, "Is the object not cacheable (pass, hit-for-pass, hit-for-miss)?")

VCL_VAR(obj_stale_age, "obj_stale.age", DURATION, VS(BACKEND_REFRESH), VS_NONE, VS_NONE, "The age of the stored object that was revalidated.")
VCL_VAR(obj_stale_can_esi, "obj_stale.can_esi", BOOL, VS(BACKEND_REFRESH), VS_NONE, VS_NONE, "Is there ESI in the stored object that was revalidated?")
VCL_VAR(obj_stale_grace, "obj_stale.grace", DURATION, VS(BACKEND_REFRESH), VS_NONE, VS_NONE, "The grace of the stored object that was revalidated.")
VCL_VAR(obj_stale_hits, "obj_stale.hits", INT, VS(BACKEND_REFRESH), VS_NONE, VS_NONE, "How often the stored object that was revalidated was a hit.")
VCL_VAR(obj_stale_is_valid, "obj_stale.is_valid", BOOL, VS(BACKEND_REFRESH), VS_NONE, VS_NONE, "Is the stored object that was revalidated still in the cache? It may have been purged or banned since it was asked about.")
VCL_VAR(obj_stale_keep, "obj_stale.keep", DURATION, VS(BACKEND_REFRESH), VS_NONE, VS_NONE, "The keep of the stored object that was revalidated.")
VCL_VAR(obj_stale_proto, "obj_stale.proto", STRING, VS(BACKEND_REFRESH), VS_NONE, VS_NONE, "The HTTP version of the stored object that was revalidated.")
VCL_VAR(obj_stale_reason, "obj_stale.reason", STRING, VS(BACKEND_REFRESH), VS_NONE, VS_NONE, "The reason phrase of the stored object that was revalidated.")
VCL_VAR(obj_stale_status, "obj_stale.status", INT, VS(BACKEND_REFRESH), VS_NONE, VS_NONE, "The status of the stored object that was revalidated.")
VCL_VAR(obj_stale_storage, "obj_stale.storage", STEVEDORE, VS(BACKEND_REFRESH), VS_NONE, VS_NONE, "The store that the stored object that was revalidated is in.")
VCL_VAR(obj_stale_time, "obj_stale.time", TIME, VS(BACKEND_REFRESH), VS_NONE, VS_NONE, "When the origin made the stored object that was revalidated.")
VCL_VAR(obj_stale_ttl, "obj_stale.ttl", DURATION, VS(BACKEND_REFRESH), VS_NONE, VS_NONE, "The ttl of the stored object that was revalidated.")
VCL_VAR(obj_stale_uncacheable, "obj_stale.uncacheable", BOOL, VS(BACKEND_REFRESH), VS_NONE, VS_NONE, "Is the stored object that was revalidated not cacheable?")

VCL_VAR(resp_body, "resp.body", BODY, VS_NONE, VS(SYNTH), VS_NONE, "The body of a synthetic response.")
VCL_VAR(resp_do_esi, "resp.do_esi", BOOL, VS(DELIVER) | VS(SYNTH) | VS_ONLY41, VS(DELIVER) | VS(SYNTH) | VS_ONLY41, VS_NONE, "Process the ESI in this response? Defaults to obj.can_esi.")
VCL_VAR(resp_esi_include_onerror, "resp.esi_include_onerror", BOOL, VS(DELIVER), VS(DELIVER), VS_NONE, "Does an ESI include that fails end the page, unless it has onerror=\"continue\"?")
VCL_VAR(resp_filters, "resp.filters", STRING, VS(DELIVER) | VS(SYNTH), VS(DELIVER) | VS(SYNTH), VS_NONE, "The filters that the body goes through on its way out, left to right.")
VCL_VAR(resp_is_streaming, "resp.is_streaming", BOOL, VS(DELIVER) | VS(SYNTH), VS_NONE, VS_NONE, "Will the body be delivered while it is still being fetched?")
VCL_VAR(resp_proto, "resp.proto", STRING, VS(DELIVER) | VS(SYNTH), VS(DELIVER) | VS(SYNTH) | VS_ONLY40, VS_NONE, "The response's HTTP version.")
VCL_VAR(resp_reason, "resp.reason", STRING, VS(DELIVER) | VS(SYNTH), VS(DELIVER) | VS(SYNTH), VS_NONE, "The response's reason phrase.")
VCL_VAR(resp_status, "resp.status", INT, VS(DELIVER) | VS(SYNTH), VS(DELIVER) | VS(SYNTH), VS_NONE, "The response's status; setting it sets the reason too.")
VCL_VAR(resp_storage, "resp.storage", STEVEDORE, VS(SYNTH), VS(SYNTH), VS_NONE, "Where a synthetic body would be kept; it is in the request's memory, whatever is set.")
VCL_VAR(resp_time, "resp.time", TIME, VS(DELIVER) | VS(SYNTH), VS_NONE, VS_NONE, "When the response was begun.")

/* param.<name>: the numbers and switches of tbl/params.h */
#ifndef VCL_VARS_WITHOUT_PARAMS
#define PARAM_DURATION(name, min, max, def, flags, doc)                      \
	VCL_VAR(param_##name, "param." #name, DURATION, VS_ALL, VS_NONE,      \
	    VS_NONE, doc)
#define PARAM_BYTES(name, min, max, def, flags, doc)                         \
	VCL_VAR(param_##name, "param." #name, BYTES, VS_ALL, VS_NONE,         \
	    VS_NONE, doc)
#define PARAM_UINT(name, min, max, def, unit, flags, doc)                    \
	VCL_VAR(param_##name, "param." #name, INT, VS_ALL, VS_NONE, VS_NONE,  \
	    doc)
#define PARAM_BOOL(name, def, flags, doc)                                    \
	VCL_VAR(param_##name, "param." #name, BOOL, VS_ALL, VS_NONE, VS_NONE, \
	    doc)
#define PARAM_STRING(name, def, flags, doc)
#include "tbl/params.h"
#undef PARAM_DURATION
#undef PARAM_BYTES
#undef PARAM_UINT
#undef PARAM_BOOL
#undef PARAM_STRING
#endif
