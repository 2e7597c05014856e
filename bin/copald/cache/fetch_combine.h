/*
 * fetch_combine.h - what a 206 that brings missing bytes says of the head that
 * they belong to (RFC 9110 15.3.7.3, RFC 9111 3.4).
 */
#ifndef COPAL_FETCH_COMBINE_H
#define COPAL_FETCH_COMBINE_H

#include "fetch.h"

/*
 * beresp is the 206, blocks.head the head.  If it says anything else than that
 * does, policy sees the two merged (vcl_backend_response), and a new head takes
 * the place of the old one, or nothing does if it may not be kept any more.
 * Who reads goes on with the old one: its blocks are the same.
 */
void fetch_combine(struct fetch *) WAITS;

#endif
