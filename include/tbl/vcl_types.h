/*
 * VCL's types.
 * VCL_TYPE(id, to_string, takes_ctx, may_fail, doc)
 * In C each is VCL_<id> of vcl_abi.h.  to_string: the function that makes a
 * STRING of it, NULL if there is none; takes_ctx: whether its first argument
 * is the transaction; may_fail: whether vrt_failed() is to be asked after it.
 */
VCL_TYPE(BOOL, "vrt_bool_string", 0, 0, "true or false")
VCL_TYPE(INT, "vrt_int_string", 1, 1, "a number: 42")
VCL_TYPE(REAL, "vrt_real_string", 1, 1, "a number with a fraction: 1.5")
VCL_TYPE(BYTES, "vrt_bytes_string", 1, 1, "a size: 10KB; units B, KB, MB, GB, TB")
VCL_TYPE(DURATION, "vrt_duration_string", 1, 1, "a span of time: 1.5s; units ms, s, m, h, d, w, y")
VCL_TYPE(TIME, "vrt_time_string", 1, 1, "an instant; as a string, an HTTP date")
VCL_TYPE(STRING, NULL, 0, 0, "text: \"...\", {\"...\"} or \"\"\"...\"\"\"")
VCL_TYPE(IP, "vrt_ip_string", 1, 1, "an address with its port")
VCL_TYPE(BACKEND, "vrt_backend_string", 0, 0, "a backend or a director")
VCL_TYPE(STEVEDORE, "vrt_stevedore_string", 0, 0, "a store: storage.<name>")
VCL_TYPE(BLOB, "vrt_blob_string", 1, 1, "bytes: :base64:")
VCL_TYPE(ACL, "vrt_acl_string", 0, 0, "an access control list")
VCL_TYPE(PROBE, "vrt_probe_string", 0, 0, "a health probe")
VCL_TYPE(SUB, NULL, 0, 0, "a subroutine")
VCL_TYPE(HEADER, "vrt_header_string", 1, 0, "a header: req.http.host; as a string, its value")
VCL_TYPE(HTTP, NULL, 0, 0, "a head: req, bereq, beresp, resp")
VCL_TYPE(REGEX, NULL, 0, 0, "a regular expression: a string constant")
VCL_TYPE(BODY, NULL, 0, 0, "a body that is written: STRING or BLOB")
VCL_TYPE(ENUM, NULL, 0, 0, "one of a function's own words")
VCL_TYPE(VOID, NULL, 0, 0, "nothing")
