/*
 * What there is to say of a parameter beside its value.
 *
 * PARAM_FLAG(name, bit, json, note, sentence)
 *
 * json: its name in param.show -j; note: what param.show adds; sentence: what
 * the manual adds.  NULL: nothing.
 */
PARAM_FLAG(P_RESTART, 1, "must_restart", "NB: This parameter will not take any effect until the child process has been restarted.", "Takes effect when the worker starts again.")
PARAM_FLAG(P_RELOAD, 4, "must_reload", "NB: This parameter will not take any effect until the VCL programs have been reloaded.", "Takes effect when VCL programs are loaded again.")
PARAM_FLAG(P_DELAYED, 2, "delayed_effect", "NB: This parameter takes effect for what begins after it was set.", "Takes effect for new connections or objects.")
PARAM_FLAG(P_EXPERT, 8, "wizard", "NB: Its default is right nearly everywhere.", "For experts.")
PARAM_FLAG(P_NETWORKS, 16, NULL, NULL, NULL)
PARAM_FLAG(P_NEVER, 32, NULL, "It can also be \"never\".", NULL)
