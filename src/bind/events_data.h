/*
 * events_data.h - the form in which a program's value travels on the event bus.
 */
#ifndef BIND_EVENTS_DATA_H
#define BIND_EVENTS_DATA_H

#include "base/err.h"

struct lua_State;

/* Push a copy of the value at idx: numbers, strings and booleans as they are; a table with any positive integer key as an array of those keys, any other
 * with its keys as strings; functions, threads and userdata as their text; no metatables. Shared tables stay shared. INVALID when it is nested too
 * deeply; then nothing is pushed. May raise when memory is out: hold nothing. */
int events_data_push(struct lua_State *L, int idx, struct err *e);

#endif
