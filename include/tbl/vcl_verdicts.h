/*
 * Verdicts: the words in return (...), in the order of enum vcl_ret.
 * VCL_VERDICT(id, word, arguments): arguments as the compiler parses them
 */
VCL_VERDICT(ABANDON, "abandon", NO_ARGS)
VCL_VERDICT(BERESP, "beresp", NO_ARGS)
VCL_VERDICT(DELIVER, "deliver", NO_ARGS)
VCL_VERDICT(ERROR, "error", OPTIONAL_STATUS_REASON)
VCL_VERDICT(FAIL, "fail", OPTIONAL_STRING)
VCL_VERDICT(FETCH, "fetch", NO_ARGS)
VCL_VERDICT(HASH, "hash", NO_ARGS)
VCL_VERDICT(LOOKUP, "lookup", NO_ARGS)
VCL_VERDICT(MERGE, "merge", NO_ARGS)
VCL_VERDICT(MISS, "miss", NO_ARGS)
VCL_VERDICT(OBJ_STALE, "obj_stale", NO_ARGS)
VCL_VERDICT(OK, "ok", NO_ARGS)
VCL_VERDICT(PASS, "pass", OPTIONAL_DURATION)
VCL_VERDICT(PIPE, "pipe", NO_ARGS)
VCL_VERDICT(PURGE, "purge", NO_ARGS)
VCL_VERDICT(RESTART, "restart", NO_ARGS)
VCL_VERDICT(RETRY, "retry", NO_ARGS)
VCL_VERDICT(SYNTH, "synth", STATUS_REASON)
VCL_VERDICT(VCL, "vcl", LABEL)
