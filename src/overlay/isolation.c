/*
 * isolation.c - who may share an identity and a kept-alive connection: the configuration, and the keys made of it.
 */
#include <ctype.h>
#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "overlay/destination.h"
#include "overlay/driver.h"

int overlay_read_isolation(const struct value *data, struct overlay *o, struct err *e)
{
	const char *word = "";
	bool streams = false;
	enum isolation mode;

	if (value_read_bool(data, "isolate_streams", &streams, e) < 0 ||
		value_read_string(data, "isolation", &word, e) < 0)
		return err_prefix(e, "failed to unmarshal config");

	if (word[0] == '\0')
		mode = streams ? ISOLATION_DIAL : ISOLATION_NONE;
	else if (strcmp(word, "dial") == 0)
		mode = ISOLATION_DIAL;
	else if (strcmp(word, "process") == 0)
		mode = ISOLATION_PROCESS;
	else if (strcmp(word, "host") == 0)
		mode = ISOLATION_HOST;
	else
		mode = ISOLATION_NAME;

	if (mode == ISOLATION_NAME && strlen(word) > ISOLATION_NAME_MAX)
		return overlay_bad_field(data, "isolation", e, "a name has at most 64 bytes");
	/* Guessing which of the two was meant could link what was to be kept apart. */
	if (streams && mode != ISOLATION_DIAL)
		return overlay_bad_field(data, "isolation", e,
			"isolate_streams: true asks for an identity per dial; give only one of the two");

	o->isolation = mode;
	o->isolate_streams = mode == ISOLATION_DIAL;
	snprintf(o->isolation_name, sizeof(o->isolation_name), "%s", mode == ISOLATION_NAME ? word : "");
	return 0;
}

const char *overlay_session_key(const struct overlay *o, const char *isolation_key)
{
	if (o->isolation == ISOLATION_NONE)
		return "";
	/* A caller that named no key shares with nobody. */
	if (o->isolation == ISOLATION_DIAL || isolation_key[0] == '\0')
		return NULL;
	return isolation_key;
}

const char *overlay_isolation_name(const struct overlay *o)
{
	switch (o ? o->isolation : ISOLATION_NONE) {
	case ISOLATION_NONE:
		break;
	case ISOLATION_DIAL:
		return "dial";
	case ISOLATION_PROCESS:
		return "process";
	case ISOLATION_HOST:
		return "host";
	case ISOLATION_NAME:
		return "name";
	}
	return "none";
}

bool overlay_isolates(const struct overlay *o)
{
	return o->isolate_streams || o->isolation == ISOLATION_DIAL || o->isolation == ISOLATION_PROCESS;
}

/* Two hosts never get one key: what is too long to be its own key is represented by its SHA-256. One host has one key: a
 * destination of I2P is the host that its short name names. */
static void host_key(const char *host, char out[static ISOLATION_KEY_MAX])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	char lower[TARGET_TEXT_MAX + 1], b32[B32_NAME_MAX];
	size_t len;
	int n;

	if (destination_b32(host, b32))
		host = b32;
	len = strnlen(host, TARGET_TEXT_MAX);
	for (size_t i = 0; i < len; i++)
		lower[i] = (char)tolower((unsigned char)host[i]);
	lower[len] = '\0';
	n = snprintf(out, ISOLATION_KEY_MAX, "host:%s", lower);
	if (n >= 0 && n < ISOLATION_KEY_MAX)
		return;
	SHA256((const unsigned char *)lower, len, digest);
	n = snprintf(out, ISOLATION_KEY_MAX, "host-sha256:");
	for (size_t i = 0; i < sizeof(digest); i++)
		n += snprintf(out + n, (size_t)(ISOLATION_KEY_MAX - n), "%02x", digest[i]);
}

char *overlay_isolation_key(
	const struct overlay *o, uint64_t owner, const char *host, char out[static ISOLATION_KEY_MAX])
{
	out[0] = '\0';
	if (!o)
		return out;
	if (overlay_isolates(o))
		snprintf(out, ISOLATION_KEY_MAX, "owner:%" PRIu64, owner);
	else if (o->isolation == ISOLATION_HOST)
		host_key(host, out);
	else if (o->isolation == ISOLATION_NAME)
		snprintf(out, ISOLATION_KEY_MAX, "name:%s", o->isolation_name);
	return out;
}
