/*
 * disk_log.h - what a program writes to files below a folder, recorded in
 * order; and what a disk may hold of it when the power goes.
 *
 *      record:  write | size | sync | made | gone | sync of a folder | mark
 *      image:   all that was synced before the cut, and of each 4 KiB page
 *               written since any version or none, whatever the order was;
 *               of names made and removed since, the first few
 *
 * The C library's calls that write are this program's own (disk_log.c): LMDB
 * and the store call them without knowing.  A sync is recorded and not
 * carried out.
 */
#ifndef COPAL_TEST_DISK_LOG_H
#define COPAL_TEST_DISK_LOG_H

#include <stdbool.h>
#include <stdint.h>

/* Begins with what is in the folder now, which counts as synced. */
bool disk_log_begin(const char *dir);
void disk_log_end(void);
/* A moment that the test knows of: its place in the log */
unsigned disk_log_mark(void);
unsigned disk_log_len(void);

/*
 * Makes the image of a cut in the middle of record at in the folder to, which
 * is emptied.  Cuts must come in growing order.  Pages that were not synced
 * persist with the probability of odds/8.
 */
bool disk_log_image(const char *to, unsigned at, unsigned odds,
    uint64_t seed);

#endif
