/*
 * Steps of a client request; each returns the next.
 * STEP(id, name, doc)
 */
STEP(RECV, "recv", "Policy looks at the request: vcl_recv")
STEP(HASH, "hash", "The cache key is made: vcl_hash")
STEP(LOOKUP, "lookup", "The key is looked up, in memory and in the stores")
STEP(HIT, "hit", "There is an object that may be used: vcl_hit")
STEP(MISS, "miss", "There is none: vcl_miss")
STEP(PASS, "pass", "The cache is not to be used: vcl_pass")
STEP(FETCH, "fetch", "The origin is asked; the request waits for its answer")
STEP(PIPE, "pipe", "Bytes are relayed both ways from now on: vcl_pipe")
STEP(PURGE, "purge", "Every variant of the key is removed: vcl_purge")
STEP(SYNTH, "synth", "Policy makes a response: vcl_synth")
STEP(DELIVER, "deliver", "Policy looks at the response: vcl_deliver")
STEP(SEND, "send", "The response is sent")
STEP(RESTART, "restart", "Begin again with the request as policy left it")
STEP(FAIL, "fail", "Policy failed: 503")
STEP(DONE, "done", "The request is finished")
