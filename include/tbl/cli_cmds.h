/*
 * Commands of the administrator's CLI; names and answers as in varnish-cli(7).
 * CLI_CMD(id, name, where, min_args, max_args, syntax, summary, doc)
 * where: MGR (the manager answers) or WRK (it forwards the command to the
 * worker; 300 "Child not running" when there is none).
 * A command whose syntax has -j takes it as its first argument, which counts
 * neither for min_args nor for max_args; the worker gets it with the command.
 * Sorted by name.
 */
CLI_CMD(auth, "auth", MGR, 1, 1,
    "auth <response>",
    "Authenticate.",
    "The response to the challenge of status 107.")
CLI_CMD(backend_list, "backend.list", WRK, 0, 2,
    "backend.list [-j] [-p] [<backend_pattern>]",
    "List backends.",
    "-p: with the details of their probes.")
CLI_CMD(backend_set_health, "backend.set_health", WRK, 2, 2,
    "backend.set_health <backend_pattern> [auto|healthy|sick]",
    "Set health status of backend(s) matching <backend_pattern>.",
    "auto: by its probe.")
CLI_CMD(ban, "ban", WRK, 3, 64,
    "ban <field> <operator> <arg> [&& <field> <oper> <arg> ...]",
    "Mark obsolete all objects where all the conditions match.",
    "Answered when the ban is on disk.")
CLI_CMD(ban_list, "ban.list", WRK, 0, 0,
    "ban.list [-j]",
    "List the active bans.",
    "")
CLI_CMD(banner, "banner", MGR, 0, 0,
    "banner",
    "Print welcome banner.",
    "")
CLI_CMD(debug_listen_address, "debug.listen_address", MGR, 0, 0,
    "debug.listen_address",
    "Report the actual listen addresses.",
    "For tests: a line each with name, address and port.")
CLI_CMD(debug_panic_worker, "debug.panic.worker", MGR, 0, 0,
    "debug.panic.worker",
    "Make the worker process crash.",
    "For tests.")
CLI_CMD(debug_xid, "debug.xid", WRK, 0, 2,
    "debug.xid [<xid> [<cachesize>]]",
    "Examine or set the next transaction id.",
    "For tests.")
CLI_CMD(help, "help", MGR, 0, 1,
    "help [-j|<command>]",
    "Show command/protocol help.",
    "Without an argument, lists the commands; with -j, as JSON.")
CLI_CMD(panic_clear, "panic.clear", MGR, 0, 1,
    "panic.clear [-z]",
    "Clear the last panic, if any.",
    "-z, which in Varnish clears a counter too, is accepted.")
CLI_CMD(panic_show, "panic.show", MGR, 0, 0,
    "panic.show [-j]",
    "Return the last panic, if any.",
    "What a worker left that ended without being told to.")
CLI_CMD(param_reset, "param.reset", MGR, 1, 1,
    "param.reset [-j] <param>",
    "Reset parameter to default value.",
    "")
CLI_CMD(param_set, "param.set", MGR, 2, 2,
    "param.set [-j] <param> <value>",
    "Set parameter value.",
    "Checked against the bounds of the parameter. Durations take ms, s, m, "
    "h, d, w, y; sizes take k, m, g, t.")
CLI_CMD(param_show, "param.show", MGR, 0, 2,
    "param.show [-l|-j] [<param>|changed]",
    "Show parameters and their values.",
    "Without an argument, a line each; -l: with their descriptions; "
    "changed: those that do not have their default.")
CLI_CMD(pid, "pid", MGR, 0, 0,
    "pid [-j]",
    "Show the pids of the manager and of the worker, if it runs.",
    "")
CLI_CMD(ping, "ping", MGR, 0, 1,
    "ping [-j] [<timestamp>]",
    "Keep connection alive.",
    "Answers PONG, the time and the protocol's version.")
CLI_CMD(quit, "quit", MGR, 0, 0,
    "quit",
    "Close connection.",
    "")
CLI_CMD(start, "start", MGR, 0, 0,
    "start",
    "Start the worker process.",
    "")
CLI_CMD(status, "status", MGR, 0, 0,
    "status [-j]",
    "Check status of the worker process.",
    "It is stopped, starting, running or stopping.")
CLI_CMD(stop, "stop", MGR, 0, 0,
    "stop",
    "Stop the worker process.",
    "Requests in progress may end within shutdown_timeout. The listening "
    "sockets stay open.")
CLI_CMD(storage_list, "storage.list", WRK, 0, 0,
    "storage.list [-j]",
    "List storage devices.",
    "")
CLI_CMD(vcl_discard, "vcl.discard", MGR, 1, 64,
    "vcl.discard <name_pattern>...",
    "Unload the named configurations (when possible).",
    "The active one cannot be discarded. One that requests still use goes "
    "when the last of them ends.")
CLI_CMD(vcl_inline, "vcl.inline", MGR, 2, 3,
    "vcl.inline <configname> <quoted_VCLstring> [auto|cold|warm]",
    "Compile and load the VCL data under the name provided.",
    "As vcl.load, with the text of the program itself as an argument.")
CLI_CMD(vcl_list, "vcl.list", MGR, 0, 0,
    "vcl.list [-j]",
    "List all loaded configurations.",
    "A line each: active, available or discarded; state; temperature; "
    "requests that use it; name.")
CLI_CMD(vcl_load, "vcl.load", MGR, 2, 3,
    "vcl.load <configname> <filename> [auto|cold|warm]",
    "Compile and load the VCL file under the name provided.",
    "The file is compiled and tried in processes of its own; an error "
    "leaves everything as it was. A relative name is looked for in "
    "vcl_path.")
CLI_CMD(vcl_show, "vcl.show", MGR, 0, 2,
    "vcl.show [-v] [<configname>]",
    "Display the source code for the specified configuration.",
    "The active one if no name is given. -v: included files and the "
    "built-in VCL too.")
CLI_CMD(vcl_state, "vcl.state", MGR, 2, 2,
    "vcl.state <configname> auto|cold|warm",
    "Force the state of the named configuration.",
    "auto: warm while it is active, cold vcl_cooldown after.")
CLI_CMD(vcl_use, "vcl.use", MGR, 1, 1,
    "vcl.use <configname>",
    "Switch to the named configuration immediately.",
    "Requests that have begun go on with the configuration that they began "
    "with.")
