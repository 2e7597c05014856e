/*
 * tag_set.c - sets of log tags.
 */
#include "tag_set.h"

static bool
matches(struct str name, struct str glob)
{
	if (glob.len != 0 && glob.p[glob.len - 1] == '*')
		return str_casestarts(name, str_of(glob.p, glob.len - 1));
	if (glob.len != 0 && glob.p[0] == '*') {
		struct str end = str_of(glob.p + 1, glob.len - 1);

		if (end.len > name.len)
			return false;
		return str_caseeq(
		    str_of(name.p + name.len - end.len, end.len), end);
	}
	return str_caseeq(name, glob);
}

bool
tag_set_parse(struct tag_set *s, struct str list, struct str *bad)
{
	for (;;) {
		const char *comma = list.len != 0
		    ? memchr(list.p, ',', list.len)
		    : NULL;
		size_t len = comma != NULL ? (size_t)(comma - list.p)
					   : list.len;
		struct str glob = str_trim(str_of(list.p, len));
		bool any = false;

		for (unsigned t = 1; t < LOG_TAG_MAX; t++) {
			if (!matches(str_from_z(log_tag_name[t]), glob))
				continue;
			tag_set_put(s, t);
			any = true;
		}
		if (!any) {
			*bad = glob;
			return false;
		}
		if (comma == NULL)
			return true;
		list = str_of(comma + 1, list.len - len - 1);
	}
}
