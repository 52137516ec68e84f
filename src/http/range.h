/*
 * range.h - what a client wants of a file: conditional requests (RFC 9110 section 13) and ranges of bytes (section
 * 14).
 *
 * Pure; any thread. Texts are values of fields, NULL where the request has none.
 */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_RANGES_MAX = 128 };

struct http_range {
	uint64_t start;
	uint64_t len; /* at least 1 */
};

enum http_range_result {
	/* None asked for, or to be ignored: another unit, more in sum than the size, too many, nothing there. */
	HTTP_RANGE_WHOLE,
	HTTP_RANGE_SOME,          /* ret[0..*ret_n) in the order asked for */
	HTTP_RANGE_UNSATISFIABLE, /* all of them begin behind the end, or no ranges at all: 416 */
};

/* Of a representation of `size` bytes. */
enum http_range_result http_range_parse(
	const char *text, uint64_t size, struct http_range ret[static HTTP_RANGES_MAX], size_t *ret_n);

/* What the server knows of the representation. */
struct http_validators {
	int64_t modified; /* Unix seconds */
	bool has_modified;
	const char *etag; /* with its quotes; NULL: none */
};

struct http_conditions {
	const char *if_match;
	const char *if_none_match;
	const char *if_modified_since;
	const char *if_unmodified_since;
	bool is_get; /* or HEAD */
};

enum http_condition { HTTP_CONDITION_PASS, HTTP_CONDITION_NOT_MODIFIED /* 304 */, HTTP_CONDITION_FAILED /* 412 */ };

/* In the order of section 13.2.2. */
enum http_condition http_condition_check(const struct http_conditions *c, const struct http_validators *v);
/* Does If-Range let the ranges count? True without one. */
bool http_if_range(const char *text, const struct http_validators *v);

#endif
