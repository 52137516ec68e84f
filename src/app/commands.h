/*
 * commands.h - the commands a project defines: process entries with meta.command.name.
 */
#ifndef APP_COMMANDS_H
#define APP_COMMANDS_H

#include "app/start.h"

/* NULL when no entry has that command name. Borrowed. */
const struct entry *command_entry_find(const struct project_entries *p, const char *name);

/* `wippy run list`. */
int commands_list(struct start_options *o, struct err *e);

#endif
