/*
 * err.c - see err.h
 */
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

static const char *const kind_names[] = {
	[ERR_UNKNOWN] = "",
	[ERR_NOT_FOUND] = "NotFound",
	[ERR_ALREADY_EXISTS] = "AlreadyExists",
	[ERR_INVALID] = "Invalid",
	[ERR_PERMISSION_DENIED] = "PermissionDenied",
	[ERR_UNAVAILABLE] = "Unavailable",
	[ERR_INTERNAL] = "Internal",
	[ERR_CANCELED] = "Canceled",
	[ERR_CONFLICT] = "Conflict",
	[ERR_TIMEOUT] = "Timeout",
	[ERR_RATE_LIMITED] = "RateLimited",
};

/*
 * Copy `raw` into e->text on one line: control bytes and bytes that are not UTF-8 become \xHH. Backslashes stay,
 * so that text that was already escaped (by an earlier err_set) passes unchanged. What does not fit ends in "...",
 * never within a character or an escape.
 */
static void store_text(struct err *e, const char *raw)
{
	static const char more[] = "...";
	size_t len = strlen(raw);
	size_t out = 0, cut = 0; /* cut: the last place where "..." still fits */
	size_t i = 0;

	while (i < len) {
		char escaped[4 * 4 + 1];
		const char *piece = raw + i;
		uint32_t code;
		size_t n = utf8_sequence(raw + i, len - i, &code);
		bool plain = n > 0 && code >= 0x20 && (code < 0x7f || code > 0x9f);
		size_t piece_len;

		if (n == 0)
			n = 1;
		piece_len = n;
		if (!plain) {
			for (size_t k = 0; k < n; k++)
				snprintf(escaped + 4 * k, 5, "\\x%02x", (unsigned char)raw[i + k]);
			piece = escaped;
			piece_len = 4 * n;
		}
		if (out + piece_len >= ERR_TEXT_MAX) {
			memcpy(e->text + cut, more, sizeof(more));
			return;
		}
		memcpy(e->text + out, piece, piece_len);
		out += piece_len;
		if (out + sizeof(more) <= ERR_TEXT_MAX)
			cut = out;
		i += n;
	}
	e->text[out] = '\0';
}

/*
 * Arguments may point into e->text, so everything is first formatted elsewhere. One byte more than fits lets
 * store_text() see that something is missing.
 */
enum { RAW_TEXT_MAX = ERR_TEXT_MAX + 1 };

int err_vset(struct err *e, enum err_kind kind, const char *fmt, va_list ap)
{
	char raw[RAW_TEXT_MAX];

	if (!e)
		return -1;
	if (vsnprintf(raw, sizeof(raw), fmt, ap) < 0)
		snprintf(raw, sizeof(raw), "%s", fmt);
	e->kind = kind;
	e->retry = ERR_RETRY_NO;
	e->code = NULL;
	store_text(e, raw);
	return -1;
}

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(e, kind, fmt, ap);
	va_end(ap);
	return -1;
}

int err_set_errno(struct err *e, enum err_kind kind, int errnum, const char *fmt, ...)
{
	char message[RAW_TEXT_MAX], room[128], reason[128];
	va_list ap;

	if (!e)
		return -1;
	va_start(ap, fmt);
	if (vsnprintf(message, sizeof(message), fmt, ap) < 0)
		snprintf(message, sizeof(message), "%s", fmt);
	va_end(ap);
	/* The GNU form of strerror_r: thread safe, returns the text. In the middle of a sentence it begins small, unless it is an
	 * abbreviation ("RPC ..."). */
	snprintf(reason, sizeof(reason), "%s", strerror_r(errnum, room, sizeof(room)));
	if (islower((unsigned char)reason[1]))
		reason[0] = (char)tolower((unsigned char)reason[0]);
	return err_set(e, kind, "%s: %s", message, reason);
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	char raw[2 * ERR_TEXT_MAX];
	va_list ap;
	int n;

	if (!e)
		return -1;
	va_start(ap, fmt);
	n = vsnprintf(raw, ERR_TEXT_MAX, fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if (n >= ERR_TEXT_MAX)
		n = ERR_TEXT_MAX - 1;
	snprintf(raw + n, sizeof(raw) - (size_t)n, "%s%s", n > 0 ? ": " : "", e->text);
	store_text(e, raw);
	return -1;
}

int err_retryable(struct err *e)
{
	if (e)
		e->retry = ERR_RETRY_YES;
	return -1;
}

int err_code(struct err *e, const char *static_code)
{
	if (e)
		e->code = static_code;
	return -1;
}

const char *err_kind_name(enum err_kind kind)
{
	return (size_t)kind < ARRAY_LEN(kind_names) ? kind_names[kind] : "";
}

enum err_kind err_kind_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kind_names); i++) {
		if (strcmp(kind_names[i], name) == 0)
			return (enum err_kind)i;
	}
	return ERR_UNKNOWN;
}
