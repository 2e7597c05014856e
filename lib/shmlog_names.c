/*
 * shmlog_names.c - names and help of the log's tags and reasons.
 */
#include "shmlog.h"

_Static_assert(LOG_TAG_MAX <= 256, "a tag is one byte in the ring");
_Static_assert(LOG_REASON_MAX <= 256, "a reason is one byte in the ring");

const char *const log_tag_name[LOG_TAG_MAX] = {
	"-",
#define LOG_TAG(id, name, help) name,
#include "tbl/log_tags.h"
#undef LOG_TAG
};

const char *const log_tag_help[LOG_TAG_MAX] = {
	"",
#define LOG_TAG(id, name, help) help,
#include "tbl/log_tags.h"
#undef LOG_TAG
};

const char *const log_reason_name[LOG_REASON_MAX] = {
	"-",
#define LOG_REASON(id, name) name,
#include "tbl/log_reasons.h"
#undef LOG_REASON
};
