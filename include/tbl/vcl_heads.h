/*
 * Heads: what has header fields, in the order of enum vcl_http.
 *
 * VCL_HEAD(id, name, usable_in, readable_in, writable_in, unsettable_in, doc)
 *
 * usable_in: where <name> itself may be given to a function that wants an
 * HTTP; the other three are of <name>.http.*.  Masks as in tbl/vcl_vars.h.
 */
VCL_HEAD(REQ, "req", VS_CLIENT, VS_CLIENT, VS_CLIENT, VS_CLIENT, "The client's request.  Content-Length and Transfer-Encoding, here and in the other heads, tell of the body: what is set or unset of them changes nothing that is sent.")
VCL_HEAD(REQ_TOP, "req_top", VS_NONE, VS_CLIENT, VS_NONE, VS_NONE, "The request that the client sent, when this one is an ESI include; else the same as req.")
VCL_HEAD(BEREQ, "bereq", VS_BACKEND, VS(PIPE) | VS_BACKEND, VS(PIPE) | VS_BACKEND, VS(PIPE) | VS_BACKEND, "The request to the backend.")
VCL_HEAD(BERESP, "beresp", VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), VS(BACKEND_RESPONSE) | VS(BACKEND_REFRESH) | VS(BACKEND_ERROR), "The backend's response.")
VCL_HEAD(OBJ, "obj", VS_NONE, VS(HIT), VS_NONE, VS_NONE, "The stored response.")
VCL_HEAD(RESP, "resp", VS(DELIVER) | VS(SYNTH), VS(DELIVER) | VS(SYNTH), VS(DELIVER) | VS(SYNTH), VS(DELIVER) | VS(SYNTH), "The response to the client.")
VCL_HEAD(OBJ_STALE, "obj_stale", VS(BACKEND_REFRESH), VS(BACKEND_REFRESH), VS_NONE, VS_NONE, "The stored response that was revalidated.")
VCL_HEAD(REQ0, "req0", VS_NONE, VS_CLIENT, VS_NONE, VS_NONE, "The client's request as it was received.")
