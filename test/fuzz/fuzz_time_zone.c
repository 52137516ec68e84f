/*
 * Compiled time zone files and POSIX rules: whatever they hold, a table that was accepted answers for every time.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind/time_zone.h"

static void ask(struct zone_table *t)
{
	static const int64_t times[] = {
		INT64_MIN / 2, -5000000000, -1, 0, 1711846800, 1729990800, 2147483648, 4102444800, INT64_MAX / 2};
	struct zone z = {.name = "x", .table = t};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct zone_period p = zone_lookup(&z, times[i]);
		int32_t offset;

		if (p.offset < -100000 || p.offset > 100000 || strlen(p.abbreviation) > 255)
			abort();
		zone_to_unix(&z, times[i]);
		zone_lookup_abbreviation(&z, p.abbreviation, times[i], &offset);
	}
	zone_table_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct zone_table *t;

	if (zone_table_parse(data, len, &t, NULL) == 0)
		ask(t);
	if (zone_table_from_posix((const char *)data, len, &t, NULL) == 0)
		ask(t);
	return 0;
}
