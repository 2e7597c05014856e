/*
 * sock.h - addresses, listening and outgoing sockets: IPv4, IPv6, unix.
 */
#ifndef COPAL_SOCK_H
#define COPAL_SOCK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "str.h"

struct addr {
	socklen_t len;
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		struct sockaddr_storage ss;
	};
};

/*
 * Resolves text: "host:port", "[v6]:port", ":port", "host" (with
 * default_port), "port" alone if listening, "/path" or "@name" of a unix
 * socket, perhaps behind "unix:".  May block in DNS unless numeric.  ":port" is
 * every address if listening, else this host; a name may stand for the port
 * ("http").  Port 0 (any free one) only if listening.  At most max addresses
 * into out; the number, or -1 with a message for the user in err.
 */
int addr_parse(const char *text, const char *default_port, bool listening,
    struct addr *out, int max, char *err, size_t err_len);

/*
 * As addr_parse() of an address to connect to, but never asks DNS: the number
 * of addresses that the text is; 0: it is a name, into host, with *port; -1
 * with a message.
 */
enum { ADDR_NAME_MAX = 256 };
int addr_parse_literal(const char *text, const char *default_port,
    struct addr *out, int max, char host[ADDR_NAME_MAX], unsigned *port,
    char *err, size_t err_len);

/*
 * Could text be an address to connect to, for all that can be seen without
 * asking anybody?  A name is not looked up.  false: err says why not.
 */
bool addr_check(const char *text, const char *default_port, char *err,
    size_t err_len);
/* As that takes them; false: host, not empty, has a port, which counts. */
bool addr_join(struct str host, struct str port, char *text, size_t size);
/* Is it a unix socket that has a name, but no path (unix(7))? */
bool addr_is_abstract(const struct addr *);

/* Room for any "host", "port" printed by addr_host and addr_text. */
enum { ADDR_HOST_MAX = 110, ADDR_TEXT_MAX = 128 };
/* the IP (no brackets), or the path; "0.0.0.0" for an unnamed unix peer */
void addr_host(const struct addr *, char out[ADDR_HOST_MAX]);
unsigned addr_port(const struct addr *); /* 0 for unix */
/* "1.2.3.4:80", "[::1]:80", "/path" */
void addr_text(const struct addr *, char out[ADDR_TEXT_MAX]);
bool addr_eq(const struct addr *, const struct addr *);
/* Its first bits are those of net, an IP address of the same family? */
bool addr_in_net(const struct addr *, const struct addr *net, unsigned bits);

/*
 * A bound, listening, non-blocking, close-on-exec socket; TCP with
 * SO_REUSEADDR, TCP_NODELAY (inherited by what it accepts) and, if reuseport,
 * SO_REUSEPORT; IPv6 takes no IPv4.  A unix socket that nobody listens on any
 * more is replaced.  The fd, or -1 with a message in err.
 */
int sock_listen(const struct addr *, bool reuseport, int backlog, char *err,
    size_t err_len);
/* Starts a non-blocking connect (TCP_NODELAY); the fd, or -1 with errno. */
int sock_connect_start(const struct addr *);
/* After writability: 0 or the connect's errno. */
int sock_connect_result(int fd);
/*
 * The next connection, non-blocking and close-on-exec; the fd, or -1 with
 * errno (EAGAIN: none is waiting).  peer may be NULL.
 */
int sock_accept(int listen_fd, struct addr *peer);
/* The address of our side of fd; 0 or -1 with errno. */
int sock_local(int fd, struct addr *out);
/*
 * recv and send as bare system calls: the C library's are points where a
 * thread can be cancelled, which takes two atomic operations each and which
 * nobody here uses.  A small hit costs 2 % less.
 */
static inline ssize_t
sock_recv(int fd, void *buf, size_t len)
{
	return syscall(SYS_recvfrom, fd, buf, len, 0, NULL, NULL);
}

static inline ssize_t
sock_send(int fd, const void *buf, size_t len, int flags)
{
	return syscall(SYS_sendto, fd, buf, len, flags, NULL, 0);
}

/* n bytes of m were sent: it begins behind them; none left: msg_iovlen 0. */
void sock_sent(struct msghdr *m, size_t n);

#endif
