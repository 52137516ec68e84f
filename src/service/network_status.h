/*
 * network_status.h - what the runtime says about its overlays: on the log, on the event bus ("network"), as metrics.
 *
 *     wippy_network_state{network="app:tor",state="ready"}   1 for the state it is in, 0 for the others
 *     wippy_network_dials_total{network="app:tor"}, wippy_network_dial_failures_total{network="app:tor"}
 *
 * Any thread.
 */
#ifndef SERVICE_NETWORK_STATUS_H
#define SERVICE_NETWORK_STATUS_H

#include <stdbool.h>

struct overlay;
struct overlay_status;
struct runtime;

/* overlay_env.changed, `arg` the runtime. An instance that is not the current one of its id is passed over: it has not begun, or has a successor. */
void network_changed(void *arg, struct overlay *o, const struct overlay_status *status);
/* overlay_env.dialled. */
void network_dialled(void *arg, struct overlay *o, bool connected);
/* The entry of `o` is gone. */
void network_removed(struct runtime *rt, struct overlay *o);

#endif
