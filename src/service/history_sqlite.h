/*
 * history_sqlite.h - the registry's history in an SQLite file.
 *
 * A version is one row; that and the head change in one transaction, so a program that dies in between finds the version before. Main thread; blocks.
 */
#ifndef SERVICE_HISTORY_SQLITE_H
#define SERVICE_HISTORY_SQLITE_H

#include "registry/history.h"

/* Opens the file, with its folder, or makes them; only its owner may read it, since entries may hold secrets. */
int history_open_sqlite(const char *path, struct history **ret, struct err *e);

#endif
