/*
 * acl.h - access control lists: sets of networks, the most specific decides.
 */
#ifndef COPAL_ACL_H
#define COPAL_ACL_H

#include "sock.h"
#include "vcl_abi.h"

/*
 * Resolves the entries' names (may block in DNS).  NULL with a message in
 * err: a name that does not resolve and is not optional, a mask that is too
 * long, bits set beyond the mask (unless the ACL is not pedantic), two
 * entries that contradict each other.
 */
struct vcl_acl *acl_new(const struct vcl_acl_def *, char *err, size_t err_len);
void acl_free(struct vcl_acl **);

/*
 * Is a in the list?  A unix socket's peer counts as 0.0.0.0.  *entry: text of
 * the entry that decided, NULL if there was none.
 */
bool acl_has(const struct vcl_acl *, const struct addr *a, const char **entry);
const char *acl_name(const struct vcl_acl *);
bool acl_logs(const struct vcl_acl *);

#endif
