/*
 * fuzz_srv_answer.c - whatever a DNS server says of a service.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "srv_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *bytes = malloc(size + 1);
	struct srv_answer a;

	memcpy(bytes, data, size);
	if (srv_answer_read(bytes, size, &a)) {
		if (a.n > SRV_MAX || (a.n == 0 && !a.has_none))
			abort();
		for (unsigned i = 0; i < a.n; i++)
			if (a.srv[i].port == 0 || a.srv[i].port > 65535 ||
			    a.srv[i].host[0] == '\0' ||
			    memchr(a.srv[i].host, '\0', SRV_HOST_MAX) == NULL)
				abort();
	}
	free(bytes);
	return 0;
}
