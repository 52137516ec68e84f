#include "base/uuid.h"

#include <string.h>
#include <strings.h>

#include "base/hex.h"

/* From 1582-10-15, where version 1 begins to count, to 1970-01-01, in units of 100 ns. */
static const uint64_t gregorian_ticks = 0x01b21dd213814000;

bool uuid_parse(const char *text, size_t len, struct uuid *ret_uuid)
{
	struct uuid u;
	bool dashes;
	size_t at = 0;

	if (len == 36 + 9 && strncasecmp(text, "urn:uuid:", 9) == 0) {
		text += 9;
		len -= 9;
	} else if (len == 36 + 2 && text[0] == '{' && text[len - 1] == '}') {
		text++;
		len -= 2;
	}
	if (len != 36 && len != 32)
		return false;
	dashes = len == 36;
	for (size_t i = 0; i < UUID_BYTES; i++) {
		int byte;

		if (dashes && (i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-')
			return false;
		byte = hex_byte(text + at);
		if (byte < 0)
			return false;
		u.bytes[i] = (unsigned char)byte;
		at += 2;
	}
	*ret_uuid = u;
	return true;
}

char *uuid_format(const struct uuid *u, char out[static UUID_TEXT_MAX])
{
	static const char digits[] = "0123456789abcdef";
	char *to = out;

	for (size_t i = 0; i < UUID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*to++ = '-';
		*to++ = digits[u->bytes[i] >> 4];
		*to++ = digits[u->bytes[i] & 15];
	}
	*to = '\0';
	return out;
}

unsigned uuid_version(const struct uuid *u)
{
	return u->bytes[6] >> 4;
}

const char *uuid_variant(const struct uuid *u)
{
	unsigned char v = u->bytes[8];

	if ((v & 0x80) == 0)
		return "Reserved";
	if ((v & 0xc0) == 0x80)
		return "RFC4122";
	return (v & 0xe0) == 0xc0 ? "Microsoft" : "Future";
}

void uuid_stamp(struct uuid *u, unsigned version)
{
	u->bytes[6] = (unsigned char)(version << 4 | (u->bytes[6] & 0x0f));
	u->bytes[8] = (unsigned char)(0x80 | (u->bytes[8] & 0x3f));
}

static uint64_t read_big(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static void write_big(unsigned char *p, size_t n, uint64_t v)
{
	for (size_t i = n; i > 0; i--, v >>= 8)
		p[i - 1] = (unsigned char)v;
}

bool uuid_seconds(const struct uuid *u, int64_t *ret_seconds)
{
	int64_t ticks;

	switch (uuid_version(u)) {
	case 1:
		ticks = (int64_t)((read_big(u->bytes + 6, 2) & 0x0fff) << 48 | read_big(u->bytes + 4, 2) << 32 |
				  read_big(u->bytes, 4));
		ticks -= (int64_t)gregorian_ticks;
		/* Rounded down, also before 1970. */
		*ret_seconds = ticks / 10000000 - (ticks % 10000000 < 0);
		return true;
	case 7:
		*ret_seconds = (int64_t)(read_big(u->bytes, 6) / 1000);
		return true;
	default:
		return false;
	}
}

void uuid_fill_v1(struct uuid *u, uint64_t ticks, uint16_t sequence, const unsigned char node[static 6])
{
	ticks += gregorian_ticks;
	write_big(u->bytes, 4, ticks);
	write_big(u->bytes + 4, 2, ticks >> 32);
	write_big(u->bytes + 6, 2, ticks >> 48);
	write_big(u->bytes + 8, 2, sequence);
	memcpy(u->bytes + 10, node, 6);
	uuid_stamp(u, 1);
}

void uuid_fill_v7(struct uuid *u, uint64_t ticks)
{
	write_big(u->bytes, 6, ticks >> 12);
	write_big(u->bytes + 6, 2, ticks & 0xfff);
	uuid_stamp(u, 7);
}
