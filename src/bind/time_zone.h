/*
 * time_zone.h - time zones: UTC, the local one, fixed offsets, and those of the system's tz database.
 *
 * Zones are immutable. Those of the database, UTC and the local one live as long as the program and are shared by all
 * threads; there are at most as many as the database has files. A fixed one is whatever memory its owner fills.
 *
 * Sources: compiled tz files (TZif, RFC 9636) below /usr/share/zoneinfo; the local zone is what TZ says (a name, an absolute path, or a POSIX
 * string such as CET-1CEST,M3.5.0,M10.5.0/3), else /etc/localtime, else UTC.
 */
#ifndef BIND_TIME_ZONE_H
#define BIND_TIME_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	ZONE_NAME_MAX = 255,
	ZONE_OFFSET_MAX = 359999, /* 99:59:59 */
	ZONE_FILE_MAX = 256 * 1024,
};

struct zone_table;

struct zone {
	const char *name;
	const struct zone_table *table; /* NULL: one offset for all times, abbreviated as `name` */
	int32_t offset;
};

/* What holds at one moment. The abbreviation lives as long as the zone. */
struct zone_period {
	int32_t offset; /* seconds east of UTC */
	const char *abbreviation;
};

extern const struct zone zone_utc;

const struct zone *zone_local(void);
/* "UTC" and "Local" included. ERR_NOT_FOUND `unknown time zone X`, also for names that leave the database's directory. Reads one small file the
 * first time a name is asked for. */
int zone_load(const char *name, size_t len, const struct zone **ret_zone, struct err *e);

struct zone_period zone_lookup(const struct zone *z, int64_t unix_seconds);
/* What an abbreviation means in that zone for a clock that shows `clock_seconds`: false when the zone does not know it. */
bool zone_lookup_abbreviation(
	const struct zone *z, const char *abbreviation, int64_t clock_seconds, int32_t *ret_offset);
/* Unix time of a clock in that zone that shows `clock_seconds`. Times that are skipped or happen twice get one of the two offsets around them. */
int64_t zone_to_unix(const struct zone *z, int64_t clock_seconds);

/* -- tables: for time_zone.c and tests ------------------------------------------------------------ */

/* The content of a TZif file. ERR_INVALID with what is wrong. */
int zone_table_parse(const void *bytes, size_t len, struct zone_table **ret_table, struct err *e);
/* A POSIX TZ string (POSIX.1-2017, 8.3), with the extensions of RFC 9636 section 3.3.1. */
int zone_table_from_posix(const char *text, size_t len, struct zone_table **ret_table, struct err *e);
void zone_table_free(struct zone_table *t);

#endif
