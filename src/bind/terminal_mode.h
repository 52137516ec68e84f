/*
 * terminal_mode.h - the terminal's raw mode, counted: the first to enter switches, the last to leave restores. Any thread.
 */
#ifndef BIND_TERMINAL_MODE_H
#define BIND_TERMINAL_MODE_H

#include "base/err.h"

/* ERR_UNAVAILABLE "raw terminal control unavailable" when standard input is no terminal. */
int terminal_raw_enter(struct err *e);
void terminal_raw_leave(void);

#endif
