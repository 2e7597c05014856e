/*
 * Why a transaction was begun: the last word of the Begin and Link records.
 * LOG_REASON(id, name)
 */
LOG_REASON(HTTP1, "HTTP/1")
LOG_REASON(HTTP2, "HTTP/2")
LOG_REASON(RXREQ, "rxreq")
LOG_REASON(ESI, "esi")
LOG_REASON(RESTART, "restart")
LOG_REASON(FETCH, "fetch")
LOG_REASON(BGFETCH, "bgfetch")
LOG_REASON(PASS, "pass")
LOG_REASON(PIPE, "pipe")
LOG_REASON(RETRY, "retry")
