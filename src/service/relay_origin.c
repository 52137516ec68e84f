#include "service/relay_origin.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

/* The scheme without "://" and the authority of an origin, each with its length; "null" and the like have neither. */
struct parts {
	const char *scheme, *authority;
	size_t scheme_len, authority_len;
};

static struct parts split(const char *origin)
{
	const char *colon = strstr(origin, "://");
	struct parts p = {origin, "", 0, 0};

	if (!colon)
		return p;
	p.scheme_len = (size_t)(colon - origin);
	p.authority = colon + strlen("://");
	p.authority_len = strcspn(p.authority, "/?#");
	return p;
}

static bool is_same(const char *text, size_t len, const char *other)
{
	return len == strlen(other) && strncasecmp(text, other, len) == 0;
}

typedef bool fits_fn(const char *pattern, const char *origin);

static bool any_fits(const char *patterns, const char *origin, fits_fn *fits)
{
	static const char blanks[] = " \t";
	char *copy = xstrdup(patterns), *rest = copy, *one;
	bool found = false;

	while (!found && (one = strsep(&rest, ","))) {
		size_t n;

		one += strspn(one, blanks);
		for (n = strlen(one); n > 0 && strchr(blanks, one[n - 1]); n--)
			;
		one[n] = '\0';
		found = n > 0 && (strcmp(one, "*") == 0 || fits(one, origin));
	}
	free(copy);
	return found;
}

static bool websocket_fits(const char *pattern, const char *origin)
{
	struct parts p = split(origin);
	const char *from = strstr(pattern, "://") ? p.scheme : p.authority;
	char *text;
	bool fits;

	if (p.authority_len == 0)
		return false;
	text = xmemdupz(from, (size_t)(p.authority + p.authority_len - from));
	fits = fnmatch(pattern, text, FNM_PATHNAME | FNM_CASEFOLD) == 0;
	free(text);
	return fits;
}

bool relay_origin_for_websocket(const char *patterns, const char *origin, const char *host)
{
	struct parts p;

	if (!origin || !*origin)
		return true;
	p = split(origin);
	if (p.authority_len > 0 && is_same(p.authority, p.authority_len, host))
		return true;
	return any_fits(patterns, origin, websocket_fits);
}

static bool events_fit(const char *pattern, const char *origin)
{
	return fnmatch(pattern, origin, FNM_PATHNAME) == 0;
}

bool relay_origin_for_events(const char *patterns, const char *origin, const char *host, const char *scheme)
{
	struct parts p;

	if (!origin || !*origin)
		return true;
	if (*patterns)
		return any_fits(patterns, origin, events_fit);
	p = split(origin);
	return p.authority_len > 0 && is_same(p.authority, p.authority_len, host) &&
	       is_same(p.scheme, p.scheme_len, scheme);
}
