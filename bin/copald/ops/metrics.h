/*
 * metrics.h - serves the counters to Prometheus (--metrics host:port).
 */
#ifndef COPAL_METRICS_H
#define COPAL_METRICS_H

/*
 * Answers GET and HEAD of /metrics on listen_fd until the process ends; for a
 * child process of the manager, which has given up what privileges it wants
 * to give up.  It ends with its parent.  The counters are opened anew when
 * they were replaced; while there are none, copal_up is 0.  workdir/log must
 * be readable for the process.  Returns only on an error that it cannot
 * live with: 1, said on standard error.
 */
int metrics_main(int listen_fd, const char *workdir);

#endif
