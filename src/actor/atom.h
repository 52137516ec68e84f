/*
 * atom.h - texts kept for the life of the program, one copy each: compare by pointer.
 *
 * For names that come from entries (hosts, functions), never for text a message or a script made up. Any thread.
 */
#ifndef ACTOR_ATOM_H
#define ACTOR_ATOM_H

#include <stddef.h>

/* The one copy of `s`; made if new. */
const char *atom(const char *s);
/* The one copy, NULL if nobody ever made it. */
const char *atom_find(const char *s, size_t len);

#endif
