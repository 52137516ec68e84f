/*
 * time_zone_table.h - the inside of a zone's table: for time_zone.c and time_zone_table.c.
 */
#ifndef BIND_TIME_ZONE_TABLE_H
#define BIND_TIME_ZONE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bind/time_zone_rule.h"

struct zone_type {
	int32_t offset;
	const char *abbreviation;
};

struct zone_table {
	size_t ntransitions;
	int64_t *at; /* ascending */
	uint8_t *type_of;
	size_t ntypes; /* at least one */
	struct zone_type *types;
	char *text;    /* the abbreviations, each with its NUL */
	bool has_rule; /* for times after the last transition */
	struct zone_rule rule;
};

struct zone_type zone_table_lookup(const struct zone_table *t, int64_t unix_seconds);

#endif
