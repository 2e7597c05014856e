/*
 * VCL's own functions; those of modules are in vcl/vmod/<name>.vmod.
 *
 * VCL_FUNCTION(name, description, c_name, callable_in, doc)
 * description: result and arguments as in a .vmod file
 * c_name: what is called, with the transaction and the arguments
 *
 * VCL_METHOD(type, name, result, c_name, doc)
 * x.name() of a value of that type: c_name(transaction, x)
 */
#ifndef VCL_METHOD
#define VCL_METHOD(type, name, result, c_name, doc)
#endif
#ifndef VCL_FUNCTION
#define VCL_FUNCTION(name, description, c_name, callable_in, doc)
#endif
VCL_FUNCTION("regsub", "STRING regsub(STRING str, REGEX regex, STRING sub)", "vrt_regsub_first", VS_ALL, "str with the first match of regex replaced by sub, in which \\0 is the whole match and \\1 to \\9 are its groups.")
VCL_FUNCTION("regsuball", "STRING regsuball(STRING str, REGEX regex, STRING sub)", "vrt_regsub_all", VS_ALL, "As regsub, of every match.")
VCL_FUNCTION("hash_data", "VOID hash_data(STRING input)", "vrt_hash_data", VS(HASH), "Adds input to the lookup key.")
VCL_FUNCTION("synthetic", "VOID synthetic(STRING body)", "vrt_synthetic", VS(SYNTH) | VS(BACKEND_ERROR), "Adds to the body of a synthetic response.")
VCL_FUNCTION("ban", "VOID ban(STRING expression)", "vrt_ban", VS_ALL, "Bans all objects that match. std.ban() also says whether it worked.")
VCL_FUNCTION("rollback", "VOID rollback(HTTP h)", "vrt_rollback", VS_CLIENT | VS_BACKEND | VS_ONLY40, "Makes the headers of req or bereq what they were at first. In VCL 4.0 only; std.rollback() in both.")

VCL_METHOD(STRING, "lower", STRING, "vrt_string_lower", "The string in lower case (ASCII).")
VCL_METHOD(STRING, "upper", STRING, "vrt_string_upper", "The string in upper case (ASCII).")
VCL_METHOD(BACKEND, "resolve", BACKEND, "vrt_backend_resolve", "The backend that a director picks now.")
VCL_METHOD(STEVEDORE, "free_space", BYTES, "vrt_stevedore_free_space", "Bytes that are free in the store.")
VCL_METHOD(STEVEDORE, "used_space", BYTES, "vrt_stevedore_used_space", "Bytes that are in use in the store.")
VCL_METHOD(STEVEDORE, "happy", BOOL, "vrt_stevedore_happy", "Is the store well?")
#undef VCL_FUNCTION
#undef VCL_METHOD
