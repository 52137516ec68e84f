/*
 * time_zone_table.c - the content of compiled time zone files (TZif, RFC 9636), and looking times up in it.
 *
 * Leap seconds and the standard/wall and UT/local indicators are skipped: times here count no leap seconds.
 */
#include "bind/time_zone_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/time_zone.h"

enum {
	HEADER_BYTES = 44,
	TYPES_MAX = 256,
	TYPE_BYTES = 6,
	OFFSET_MIN = -89999, /* RFC 9636, section 3.2 */
	OFFSET_MAX = 93599,
};

struct counts {
	uint32_t isut, isstd, leap, time, type, chars;
};

struct block {
	const uint8_t *bytes;
	size_t len;
	struct counts n;
	size_t time_bytes; /* 4 or 8 */
};

static uint32_t read_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t read_time(const uint8_t *p, size_t bytes)
{
	if (bytes == 4)
		return (int32_t)read_u32(p);
	return (int64_t)((uint64_t)read_u32(p) << 32 | read_u32(p + 4));
}

static int fail(struct err *e, const char *what)
{
	err_set(e, ERR_INVALID, "not a time zone file: %s", what);
	return -1;
}

/* The header at `*at` and the data behind it; *at moves behind both. */
static int read_block(const uint8_t *bytes, size_t len, size_t *at, size_t time_bytes, struct block *ret, struct err *e)
{
	const uint8_t *h = bytes + *at;
	struct counts n;
	uint64_t need;

	if (len - *at < HEADER_BYTES || memcmp(h, "TZif", 4) != 0)
		return fail(e, "no header");
	n = (struct counts){
		.isut = read_u32(h + 20),
		.isstd = read_u32(h + 24),
		.leap = read_u32(h + 28),
		.time = read_u32(h + 32),
		.type = read_u32(h + 36),
		.chars = read_u32(h + 40),
	};
	need = (uint64_t)n.time * (time_bytes + 1) + (uint64_t)n.type * TYPE_BYTES + n.chars +
	       (uint64_t)n.leap * (time_bytes + 4) + n.isstd + n.isut;
	if (need > len - *at - HEADER_BYTES)
		return fail(e, "cut short");
	*ret = (struct block){h + HEADER_BYTES, (size_t)need, n, time_bytes};
	*at += HEADER_BYTES + (size_t)need;
	return 0;
}

static int fill(struct zone_table *t, const struct block *b, struct err *e)
{
	const uint8_t *times = b->bytes, *indices = times + b->n.time * b->time_bytes;
	const uint8_t *types = indices + b->n.time, *chars = types + b->n.type * TYPE_BYTES;

	if (b->n.type == 0 || b->n.type > TYPES_MAX || b->n.chars == 0)
		return fail(e, "no local time types");
	if (chars[b->n.chars - 1] != '\0')
		return fail(e, "abbreviations without an end");
	t->ntypes = b->n.type;
	t->types = xcalloc(b->n.type, sizeof(*t->types));
	t->text = xmemdupz(chars, b->n.chars);
	for (uint32_t i = 0; i < b->n.type; i++) {
		const uint8_t *p = types + i * TYPE_BYTES;
		int32_t offset = (int32_t)read_u32(p);

		if (offset < OFFSET_MIN || offset > OFFSET_MAX || p[5] >= b->n.chars)
			return fail(e, "a local time type is out of range");
		t->types[i] = (struct zone_type){.offset = offset, .abbreviation = t->text + p[5]};
	}
	t->ntransitions = b->n.time;
	t->at = xcalloc(b->n.time ? b->n.time : 1, sizeof(*t->at));
	t->type_of = xcalloc(b->n.time ? b->n.time : 1, sizeof(*t->type_of));
	for (uint32_t i = 0; i < b->n.time; i++) {
		t->at[i] = read_time(times + i * b->time_bytes, b->time_bytes);
		t->type_of[i] = indices[i];
		if (indices[i] >= b->n.type || (i > 0 && t->at[i] <= t->at[i - 1]))
			return fail(e, "transitions out of order");
	}
	return 0;
}

int zone_table_parse(const void *data, size_t len, struct zone_table **ret_table, struct err *e)
{
	const uint8_t *bytes = data;
	struct zone_table *t = NULL;
	struct block b;
	size_t at = 0;
	int rc = -1;

	if (len > ZONE_FILE_MAX)
		return fail(e, "too large");
	if (read_block(bytes, len, &at, 4, &b, e) < 0)
		return -1;
	if (bytes[4] >= '2' && read_block(bytes, len, &at, 8, &b, e) < 0)
		return -1;
	t = xcalloc(1, sizeof(*t));
	if (fill(t, &b, e) < 0)
		goto out;
	if (b.time_bytes == 8) {
		const uint8_t *text, *end = NULL;

		if (at < len && bytes[at++] == '\n')
			end = memchr(bytes + at, '\n', len - at);
		if (!end) {
			fail(e, "no footer");
			goto out;
		}
		text = bytes + at;
		t->has_rule = end > text;
		if (t->has_rule && !zone_rule_parse((const char *)text, (size_t)(end - text), &t->rule)) {
			fail(e, "the footer is no rule");
			goto out;
		}
	}
	*ret_table = t;
	t = NULL; /* now the caller's */
	rc = 0;
out:
	zone_table_free(t);
	return rc;
}

int zone_table_from_posix(const char *text, size_t len, struct zone_table **ret_table, struct err *e)
{
	struct zone_rule rule;
	struct zone_table *t;

	if (!zone_rule_parse(text, len, &rule))
		return err_set(e, ERR_INVALID, "not a POSIX time zone");
	t = xcalloc(1, sizeof(*t));
	t->rule = rule;
	t->has_rule = true;
	t->ntypes = rule.has_dst ? 2 : 1;
	t->types = xcalloc(2, sizeof(*t->types));
	t->types[0] = (struct zone_type){.offset = rule.std_offset, .abbreviation = t->rule.std};
	t->types[1] = (struct zone_type){.offset = rule.dst_offset, .abbreviation = t->rule.dst};
	*ret_table = t;
	return 0;
}

void zone_table_free(struct zone_table *t)
{
	if (!t)
		return;
	free(t->at);
	free(t->type_of);
	free(t->types);
	free(t->text);
	free(t);
}

struct zone_type zone_table_lookup(const struct zone_table *t, int64_t unix_seconds)
{
	size_t low = 0, high = t->ntransitions; /* the first transition after the time is in low..high */

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->at[middle] <= unix_seconds)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == t->ntransitions && t->has_rule) {
		const struct zone_rule *r = &t->rule;

		if (zone_rule_is_dst(r, unix_seconds))
			return (struct zone_type){.offset = r->dst_offset, .abbreviation = r->dst};
		return (struct zone_type){.offset = r->std_offset, .abbreviation = r->std};
	}
	/* Before the first transition, type 0 holds (RFC 9636, section 3.2). */
	return t->types[low > 0 ? t->type_of[low - 1] : 0];
}
