/*
 * secret_hash.h - a hash that nobody outside can make collisions for: its
 * seed is made anew in each process.
 */
#ifndef COPAL_SECRET_HASH_H
#define COPAL_SECRET_HASH_H

#include "str.h"

uint64_t secret_hash(struct str);

#endif
