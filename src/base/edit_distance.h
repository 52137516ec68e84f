/*
 * edit_distance.h - how far two words are apart, to guess what was meant by a mistyped one.
 */
#ifndef BASE_EDIT_DISTANCE_H
#define BASE_EDIT_DISTANCE_H

#include <stddef.h>

/* How many single-byte edits turn `a` into `b`; SIZE_MAX when one of them has more than 63 bytes. Pure. */
size_t edit_distance(const char *a, const char *b);

#endif
