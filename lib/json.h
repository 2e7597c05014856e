/*
 * json.h - text as a JSON string (RFC 8259 7).
 */
#ifndef COPAL_JSON_H
#define COPAL_JSON_H

#include "str.h"

enum { JSON_CHAR_MAX = 6 }; /* bytes that one byte becomes at most */

/*
 * Takes a character off *s, which is not empty, and gives it as it stands
 * between a JSON string's quotes: itself (of *s), or escaped (in buf).  A
 * byte that is not UTF-8 becomes \u00xx, so that nothing is lost.
 */
struct str json_next(struct str *s, char buf[JSON_CHAR_MAX + 1]);

#endif
