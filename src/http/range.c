#include "http/range.h"

#include <string.h>
#include <strings.h>

#include "http/date.h"

static const char blanks[] = " \t";

/* Digits from `s`, the first behind them in *ret_end; too large a number becomes a very large one. False: no
 * digits. */
static bool read_number(const char *s, const char *end, uint64_t *ret, const char **ret_end)
{
	const char *p = s;
	uint64_t n = 0;

	for (; p < end && *p >= '0' && *p <= '9'; p++)
		n = n > (INT64_MAX - 9) / 10 ? INT64_MAX : n * 10 + (uint64_t)(*p - '0');
	*ret = n;
	*ret_end = p;
	return p > s;
}

/* 1: a range; 0: one that begins behind the end; -1: no range. */
static int read_range(const char *s, const char *end, uint64_t size, struct http_range *ret)
{
	uint64_t first, last;
	const char *p;

	if (*s == '-') {
		if (!read_number(s + 1, end, &last, &p) || p != end)
			return -1;
		if (last == 0 || size == 0)
			return 0;
		ret->len = last < size ? last : size;
		ret->start = size - ret->len;
		return 1;
	}
	if (!read_number(s, end, &first, &p) || p == end || *p != '-')
		return -1;
	if (++p == end)
		last = INT64_MAX;
	else if (!read_number(p, end, &last, &p) || p != end || last < first)
		return -1;
	if (first >= size)
		return 0;
	ret->start = first;
	ret->len = (last < size ? last + 1 : size) - first;
	return 1;
}

enum http_range_result http_range_parse(
	const char *text, uint64_t size, struct http_range ret[static HTTP_RANGES_MAX], size_t *ret_n)
{
	uint64_t sum = 0;
	size_t n = 0;
	bool any = false;

	*ret_n = 0;
	if (!text || strncasecmp(text, "bytes=", 6) != 0 || size == 0)
		return HTTP_RANGE_WHOLE;
	for (const char *s = text + 6; *s;) {
		size_t len = strcspn(s, ",");
		const char *from = s + strspn(s, blanks), *end = s + len;
		int got;

		s += s[len] ? len + 1 : len;
		while (end > from && strchr(blanks, end[-1]))
			end--;
		if (from >= end)
			continue; /* empty elements of a list are allowed (section 5.6.1) */
		any = true;
		if (n == HTTP_RANGES_MAX)
			return HTTP_RANGE_WHOLE;
		got = read_range(from, end, size, &ret[n]);
		if (got < 0)
			return HTTP_RANGE_UNSATISFIABLE;
		if (got > 0)
			sum += ret[n++].len;
	}
	if (n == 0)
		return any ? HTTP_RANGE_UNSATISFIABLE : HTTP_RANGE_WHOLE;
	/* More than everything is an attack, or a client that wants all of it anyway. */
	if (sum > size)
		return HTTP_RANGE_WHOLE;
	*ret_n = n;
	return HTTP_RANGE_SOME;
}

/* Is `etag` in the list? `strong`: weak ones equal nothing (section 8.8.3.2). */
static bool etag_listed(const char *list, const char *etag, bool strong)
{
	const char *opaque = etag && strncmp(etag, "W/", 2) == 0 ? etag + 2 : etag;

	if (strcmp(list + strspn(list, blanks), "*") == 0)
		return true;
	if (!etag || (strong && opaque != etag))
		return false;
	for (const char *s = list; *s;) {
		bool weak;
		const char *close;

		s += strspn(s, " \t,");
		weak = strncmp(s, "W/", 2) == 0;
		if (weak)
			s += 2;
		if (*s != '"')
			return false;
		close = strchr(s + 1, '"');
		if (!close)
			return false;
		close++;
		if (!(strong && weak) && (size_t)(close - s) == strlen(opaque) &&
			memcmp(s, opaque, (size_t)(close - s)) == 0)
			return true;
		s = close;
	}
	return false;
}

enum http_condition http_condition_check(const struct http_conditions *c, const struct http_validators *v)
{
	int64_t t;

	if (c->if_match) {
		if (!etag_listed(c->if_match, v->etag, true))
			return HTTP_CONDITION_FAILED;
	} else if (c->if_unmodified_since && v->has_modified && http_date_parse(c->if_unmodified_since, &t) &&
		   v->modified > t) {
		return HTTP_CONDITION_FAILED;
	}
	if (c->if_none_match) {
		if (!etag_listed(c->if_none_match, v->etag, false))
			return HTTP_CONDITION_PASS;
		return c->is_get ? HTTP_CONDITION_NOT_MODIFIED : HTTP_CONDITION_FAILED;
	}
	if (c->is_get && c->if_modified_since && v->has_modified && http_date_parse(c->if_modified_since, &t) &&
		v->modified <= t)
		return HTTP_CONDITION_NOT_MODIFIED;
	return HTTP_CONDITION_PASS;
}

bool http_if_range(const char *text, const struct http_validators *v)
{
	int64_t t;

	if (!text)
		return true;
	if (*text == '"')
		return v->etag && strcmp(text, v->etag) == 0;
	return v->has_modified && http_date_parse(text, &t) && t == v->modified;
}
