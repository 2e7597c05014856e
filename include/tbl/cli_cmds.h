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
CLI_CMD(backend_list, "backend.list", WRK, 0, 3,
    "backend.list [-j] [-p] [<backend_pattern>]",
    "List backends.",
    "-p: with the details of their probes, or of a director's backends.")
CLI_CMD(backend_set_health, "backend.set_health", WRK, 2, 2,
    "backend.set_health <backend_pattern> [auto|healthy|sick]",
    "Set health status of backend(s) matching <backend_pattern>.",
    "auto: by its probe.")
CLI_CMD(ban, "ban", WRK, 3, 64,
    "ban [-j] [-n] <field> <operator> <arg> [&& <field> <oper> <arg> ...]",
    "Mark obsolete all objects where all the conditions match.",
    "Answered when the ban is on disk. -n: only says how many objects it "
    "would hit at most, conditions on req counted as met, and some of them; "
    "those on disk are looked at for five seconds. -j: as JSON, with the "
    "position in the log.")
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
CLI_CMD(debug_store_fault, "debug.store_fault", WRK, 2, 2,
    "debug.store_fault <operation> <error>|wait|none",
    "Have a disk operation of the stores fail or wait.",
    "For tests of what happens then. The operation is segment.create, .open, "
    ".read, .write or .sync, or catalogue.read, .begin or .commit; the error "
    "EIO, ENOSPC, EDQUOT or ENOMEM. With none it works again.")
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
CLI_CMD(purge, "purge", WRK, 1, 64,
    "purge [-j] [-n] [-soft] <url> [<header>...] | -tag <tag>...",
    "Purge the objects of a URL, or those that carry one of the tags.",
    "Answered when it is on disk. A URL means all variants of the key that "
    "the active VCL makes for a GET of it with these headers; \"host/path\" "
    "is enough. -soft: they become stale, and are served within grace while "
    "they are fetched again. -n: only says how many objects would be hit, and "
    "some of them; tags of those on disk are looked at for five seconds. -j: "
    "as JSON, with the position in the log.")
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
CLI_CMD(storage_drop, "storage.drop", WRK, 1, 1,
    "storage.drop <name>",
    "Remove all objects from a storage device.",
    "They are gone, from the disk too, when the answer comes, and their space "
    "is free; bans and purges stay known, and the other stores are left "
    "alone. What is being fetched at that time may still be kept.")
CLI_CMD(storage_list, "storage.list", WRK, 0, 0,
    "storage.list [-j]",
    "List storage devices.",
    "With the progress and the verdict of the last storage.verify. While no "
    "worker runs, only their names and kinds.")
CLI_CMD(storage_verify, "storage.verify", WRK, 1, 1,
    "storage.verify <name>",
    "Begin to check all that a storage device has on disk.",
    "Every record and every extent is read and compared with its checksum, in "
    "the background; storage.list tells how far it is, and the log how it "
    "ended. Objects that are bad are dropped.")
CLI_CMD(vcl_deps, "vcl.deps", MGR, 0, 0,
    "vcl.deps [-j]",
    "List all loaded configurations and their dependencies.",
    "A label depends on the configuration that it names, a configuration on "
    "the labels of its return (vcl(label)).")
CLI_CMD(vcl_discard, "vcl.discard", MGR, 1, 64,
    "vcl.discard <name_pattern>...",
    "Unload the named configurations and labels (when possible).",
    "The active one cannot be discarded, nor what others depend on that "
    "stay: then nothing is. One that requests still use goes when the last "
    "of them ends.")
CLI_CMD(vcl_inline, "vcl.inline", MGR, 2, 3,
    "vcl.inline <configname> <quoted_VCLstring> [auto|cold|warm]",
    "Compile and load the VCL data under the name provided.",
    "As vcl.load, with the text of the program itself as an argument.")
CLI_CMD(vcl_label, "vcl.label", MGR, 2, 2,
    "vcl.label <label> <configname>",
    "Apply label to configuration.",
    "A label can be named in vcl.use and in return (vcl(label)). One that "
    "is there already is pointed at the configuration; requests under way "
    "go on with the one before.")
CLI_CMD(vcl_list, "vcl.list", MGR, 0, 0,
    "vcl.list [-j]",
    "List all loaded configurations.",
    "A line each: active, available or discarded; state (auto, warm, cold, "
    "label); temperature (warm, cold, or busy: cold when the last request "
    "has left it); requests that use it; name; its labels, or what the "
    "label points at.")
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
    "auto: warm while it is active or has a label, cold vcl_cooldown after. "
    "A cold one holds no connections to backends.")
CLI_CMD(vcl_use, "vcl.use", MGR, 1, 1,
    "vcl.use <configname>",
    "Switch to the named configuration immediately.",
    "Requests that have begun go on with the configuration that they began "
    "with.")
CLI_CMD(why, "why", WRK, 1, 64,
    "why [-j] <url> [<header>...]",
    "Explain what would happen to a request, without side effects.",
    "A GET of the URL, with headers \"Name: value\", goes through vcl_recv and "
    "vcl_hash: which line decided, the key, the objects of the key and what "
    "each is good for, and whether it would be a hit.")
