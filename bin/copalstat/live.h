/*
 * live.h - copalstat's live view.
 */
#ifndef COPAL_LIVE_H
#define COPAL_LIVE_H

#include <stdbool.h>

#include "counters.h"

/*
 * Shows the counters i with shown[i] until the user quits.  *m is replaced
 * when the counters in dir are made anew.  false: not with this terminal.
 */
bool live_view(struct counters_map **m, const char *dir, const bool *shown);

#endif
