/*
 * resolver.h - names of origins: resolved, and again when their time is up.
 *
 *   PENDING ---> RESOLVED <---.
 *      |          |  ^        | every TTL; a failure changes nothing but the
 *      v          '--+--------' time until the next try
 *   UNRESOLVED ------'
 *
 * One thread has all names of all programs, each once, and asks by c-ares:
 * /etc/hosts and DNS as the system is set up, or the servers of dns_servers.
 * A name that begins with "_" is a service (RFC 2782): its SRV records, then
 * the addresses of the servers that they name.  A name that no longer
 * resolves keeps the addresses that it had.
 */
#ifndef COPAL_RESOLVER_H
#define COPAL_RESOLVER_H

#include <stdio.h>

#include "addr_set.h"
#include "fiber.h"

struct dns_name;

enum dns_state { DNS_PENDING, DNS_RESOLVED, DNS_UNRESOLVED };

/*
 * The name with this port (of a service: any), from now on resolved while
 * somebody has it.  NULL: no memory, or no thread.
 */
struct dns_name *dns_name_get(const char *host, unsigned port);
struct dns_name *dns_name_ref(struct dns_name *);
void dns_name_unref(struct dns_name **);

enum dns_state dns_name_state(const struct dns_name *);
/* Changes whenever the addresses do. */
unsigned dns_name_generation(const struct dns_name *);
/* The addresses, counted; NULL: there are none (yet). */
struct addr_set *dns_name_addrs(struct dns_name *);
/* As that, but waits for the first answer. */
struct addr_set *dns_name_wait(struct dns_name *, nsec_t deadline) WAITS;
/*
 * None of its addresses can be connected to: has it resolved at once, if that
 * was not just done and the last try was answered, and waits for it.  true:
 * there are others now than those of that generation.
 */
bool dns_name_renew(struct dns_name *, unsigned generation,
    nsec_t deadline) WAITS;
/* For the administrator: "name, ttl 30 s" and what went wrong last. */
void dns_name_print(struct dns_name *, FILE *);
void dns_name_print_json(struct dns_name *, FILE *, const char *indent);

/* Ends the thread; names stay as they are. */
void resolver_stop(void);

#endif
