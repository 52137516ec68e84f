/*
 * line.h - a line of a SAM bridge: its words, and a refusal in it as an error. Pure.
 *
 * A line is words with blanks between them: WORD, KEY=value or KEY="with \"blanks\"" (https://geti2p.net/en/docs/api/samv3).
 */
#ifndef OVERLAY_I2P_LINE_H
#define OVERLAY_I2P_LINE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* The value of KEY in "A B KEY=value KEY2=\"with blanks\""; false when absent. Quotes are dropped, \" and \\ in them undone. */
bool sam_word(const char *line, const char *key, struct buf *ret_value);

/* Fill `e` for a refusal "<phase> rejected: <line>": the line is escaped, cut, and shown without keys. Its RESULT gives the
 * stable code ("i2p_cant_reach_peer"; "i2p_bad_reply" when there is none). Returns -1. */
int sam_refusal(const char *phase, const char *line, struct err *e);

#endif
