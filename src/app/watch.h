/*
 * watch.h - `wippy run --watch`: what is edited takes effect in the running application.
 *
 * When files of the project have changed and are quiet again, the project is read once more exactly as at the start (configuration's overrides and
 * `disable`, -o, linking) and what differs from what the files said before is applied as one change: all of it or nothing. What programs have created
 * or changed meanwhile stays. Each entry that changed is told in a line on standard error, then the sum:
 *
 *     watch: updated app:probe (src/probe.lua)
 *     watch: 2 updated, 1 created, 1 removed (v7)
 *     watch: src/_index.yaml:12: entry app:tor: ...: invalid port; still running the previous state
 *
 * A file that was emptied, or is gone for less than WATCH_GONE_MS, removes nothing. What else the configuration says needs a restart, and that is told.
 *
 * Main thread, on the runtime's loop, which reading the files holds up for a moment: as long as the start took to read them, bounded by
 * PROJECT_FILE_BYTES_MAX and PROJECT_ENTRIES_MAX.
 */
#ifndef APP_WATCH_H
#define APP_WATCH_H

#include "app/start.h"

struct runtime;
struct watch;

enum { WATCH_GONE_MS = 400, WATCH_LINES_MAX = 50 };

/* Begin, after runtime_start(). Takes the entries of `s` as what the files said; borrows `o` until watch_free(). */
int watch_new(struct runtime *rt, const struct start_options *o, struct start *s, struct watch **ret, struct err *e);
/* Before runtime_free(). NULL is fine. */
void watch_free(struct watch *w);

#endif
