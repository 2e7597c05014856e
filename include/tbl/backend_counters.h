/*
 * Counters of each backend: VBE.<program>.<backend>.<name>.  Names as in
 * varnishstat where the meaning is the same.
 * BACKEND_COUNTER(id, kind, help)
 */
BACKEND_COUNTER(up, GAUGE, "1: healthy, 0: sick")
BACKEND_COUNTER(addresses, GAUGE, "Addresses that it has")
BACKEND_COUNTER(conn, GAUGE, "Requests at work")
BACKEND_COUNTER(waiting, GAUGE, "Requests that wait in line")
BACKEND_COUNTER(idle, GAUGE, "Unused connections that are kept for it and for others of its address")
BACKEND_COUNTER(req, COUNT, "Requests sent")
BACKEND_COUNTER(fail, COUNT, "Failed connects and responses")
BACKEND_COUNTER(retry, COUNT, "Requests sent again")
BACKEND_COUNTER(unhealthy, COUNT, "Not tried: it is sick")
BACKEND_COUNTER(busy, COUNT, "Not tried: max_connections reached")
