/*
 * fuzz_http1_response.c - heads of responses.
 */
#include <stddef.h>
#include <stdint.h>

#define FUZZ_REQUEST 0
#include "fuzz_http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(data, size);
	return 0;
}
