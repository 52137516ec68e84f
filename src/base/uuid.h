/*
 * uuid.h - universally unique identifiers (RFC 9562): their text, their fields. Making new ones needs randomness and
 * is not done here. Pure.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UUID_BYTES = 16, UUID_TEXT_MAX = 37 };

struct uuid {
	unsigned char bytes[UUID_BYTES];
};

/* Accepts 8-4-4-4-12 hexadecimal digits, the same after "urn:uuid:" or in braces, and 32 digits alone; any case. */
bool uuid_parse(const char *text, size_t len, struct uuid *ret_uuid);
/* The 36 characters of the standard form, lower case, with a NUL; returns `out`. */
char *uuid_format(const struct uuid *u, char out[static UUID_TEXT_MAX]);

unsigned uuid_version(const struct uuid *u);
/* "RFC4122", "Microsoft", "Future", or "Reserved" (what came before the standard: NCS). */
const char *uuid_variant(const struct uuid *u);
/* Put in the version and the RFC's variant. */
void uuid_stamp(struct uuid *u, unsigned version);

/* When a version 1 or 7 was made, in seconds since 1970; false for others. */
bool uuid_seconds(const struct uuid *u, int64_t *ret_seconds);
/* Version 1 (RFC 9562 section 5.1) from a count of 100 ns since 1970, 14 bits of clock sequence and six bytes of
 * node. */
void uuid_fill_v1(struct uuid *u, uint64_t ticks, uint16_t sequence, const unsigned char node[static 6]);
/* Version 7 (section 5.7) from a count of 1/4096 ms since 1970, on top of bytes that are random already; the low 12
 * bits go behind the milliseconds (section 6.2, method 3). */
void uuid_fill_v7(struct uuid *u, uint64_t ticks);

#endif
