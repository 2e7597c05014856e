/*
 * fuzz_log_query.c - any text as a query of copallog, asked about a few
 * records.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "copallog/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct log_record records[] = {
	    {LOG_REQ_URL, 0, {0}, {"/foo", 4}},
	    {LOG_REQ_HEADER, 0, {0}, {"Host: a b\tc", 11}},
	    {LOG_RESP_STATUS, 1, {200}, {NULL, 0}},
	    {LOG_TIMESTAMP, 3, {3, 2, 1}, {"Resp", 4}},
	    {LOG_END, 0, {0}, {NULL, 0}},
	};
	char *text = malloc(size + 1), err[256] = "";
	struct log_query *q;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	q = log_query_new(text, size % 2, err, sizeof err);
	/* Refused with a reason, or not at all. */
	if ((q == NULL) != (err[0] != '\0'))
		abort();
	if (q != NULL) {
		log_query_begin(q);
		for (size_t i = 0; i < sizeof records / sizeof *records; i++)
			log_query_record(q, i, 1 + i % 3, &records[i]);
		(void)log_query_result(q);
	}
	log_query_free(&q);
	free(text);
	return 0;
}
