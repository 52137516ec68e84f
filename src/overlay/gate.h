/*
 * gate.h - what the files of the gate share about an instance; seen by overlay/ only, not by drivers.
 */
#ifndef OVERLAY_GATE_H
#define OVERLAY_GATE_H

#include "overlay/driver.h"

/* The part `o->gate`, with o->env set. */
void gate_init(struct overlay *o);
void gate_done(struct overlay *o);

enum dial_end { DIAL_CONNECTED, DIAL_FAILED, DIAL_CANCELED };

/* Counters. Any thread. */
void gate_dial_begins(struct overlay *o);
void gate_dial_over(struct overlay *o, enum dial_end how);

/* Those that peers can reach: [{service, address}]; a new list. Any thread. */
struct value *gate_describe_listeners(struct overlay *o);
/* The overlay has stopped: its listeners are over. Control thread. */
void gate_fail_listeners(struct overlay *o);

#endif
