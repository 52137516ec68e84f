/*
 * live.h - changes of the registry while the application runs: requests from any thread, the supervisor's part, events on the bus.
 */
#ifndef SERVICE_LIVE_H
#define SERVICE_LIVE_H

#include "bind/node.h"

struct runtime;

/* node->change: see bind/change_request.h. */
void live_change(struct node *n, struct change_request *r);
/* Tell the supervisor and the bus about changes. Once, before anything is loaded. */
void live_watch(struct runtime *rt);

#endif
