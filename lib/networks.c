/*
 * networks.c - a short list of networks.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "networks.h"
#include "str.h"

/* IPv4 as IPv6 (RFC 4291 2.5.5.2) */
static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
enum { MAPPED_BITS = 96 };

/* "192.0.2.0/24": false if it is none. */
static bool
parse_one(struct network_prefix *to, const char *text)
{
	char host[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	const char *bits = text[len] == '/' ? text + len + 1 : NULL;
	uint64_t n, max = 128;

	if (len >= sizeof host)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, to->bytes + sizeof mapped) == 1) {
		memcpy(to->bytes, mapped, sizeof mapped);
		max = 32;
	} else if (inet_pton(AF_INET6, host, to->bytes) != 1) {
		return false;
	}
	n = max;
	if (bits != NULL &&
	    (!str_to_u64(str_from_z(bits), &n) || n > max))
		return false;
	to->bits = (uint8_t)(max == 32 ? MAPPED_BITS + n : n);
	return true;
}

bool
networks_parse(struct networks *to, const char *text, char *err,
    size_t err_len)
{
	*to = (struct networks){0};
	for (;;) {
		char one[INET6_ADDRSTRLEN + sizeof "/128"];
		size_t len;

		text += strspn(text, ", ");
		len = strcspn(text, ", ");
		if (len == 0)
			return true;
		snprintf(one, sizeof one, "%.*s", (int)len, text);
		text += len;
		if (!strcmp(one, "*")) {
			to->all = true;
		} else if (!strcmp(one, "unix")) {
			to->local = true;
		} else if (to->n == NETWORKS_MAX) {
			snprintf(err, err_len, "More than %d networks",
			    NETWORKS_MAX);
			return false;
		} else if (len >= sizeof one ||
		    !parse_one(&to->of[to->n++], one)) {
			snprintf(err, err_len, "Not an address, a network, "
			    "unix or *: %s", one);
			return false;
		}
	}
}

static bool
is_in(const uint8_t bytes[16], const struct network_prefix *p)
{
	unsigned whole = p->bits / 8, rest = p->bits % 8;

	return !memcmp(bytes, p->bytes, whole) && (rest == 0 ||
	    ((bytes[whole] ^ p->bytes[whole]) & (0xff00 >> rest) & 0xff) == 0);
}

bool
networks_have(const struct networks *set, const struct addr *a)
{
	uint8_t bytes[16];

	if (set->all)
		return true;
	switch (a->sa.sa_family) {
	case AF_INET:
		memcpy(bytes, mapped, sizeof mapped);
		memcpy(bytes + sizeof mapped, &a->in4.sin_addr, 4);
		break;
	case AF_INET6:
		memcpy(bytes, &a->in6.sin6_addr, 16);
		break;
	default:
		return set->local;
	}
	for (unsigned i = 0; i < set->n; i++)
		if (is_in(bytes, &set->of[i]))
			return true;
	return false;
}
