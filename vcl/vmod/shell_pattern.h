/*
 * shell_pattern.h - shell patterns, in time that a long string can't make
 * explode.
 */
#ifndef COPAL_SHELL_PATTERN_H
#define COPAL_SHELL_PATTERN_H

#include "str.h"

/*
 * Does the whole of s match?  '*' is any string, '?' any byte, "[a-z]" one of
 * a set, '\' takes the next byte as it is: what fnmatch(3) does without
 * flags, in time of the product of both lengths at most.
 */
bool shell_pattern_match(struct str pattern, struct str s);

#endif
