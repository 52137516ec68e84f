#include "http/cors.h"

#include <stddef.h>
#include <string.h>

static bool is_localhost(const char *origin)
{
	static const char *const schemes[] = {"http://localhost", "https://localhost"};

	for (unsigned i = 0; i < 2; i++) {
		size_t n = strlen(schemes[i]);

		if (strncmp(origin, schemes[i], n) != 0)
			continue;
		if (!origin[n])
			return true;
		if (origin[n] == ':' && origin[n + 1] && !origin[n + 1 + strspn(origin + n + 1, "0123456789")])
			return true;
	}
	return false;
}

static bool matches(const char *pattern, size_t len, const char *origin)
{
	size_t n = strlen(origin);

	if (len == 1 && pattern[0] == '*')
		return true;
	if (len == 9 && memcmp(pattern, "localhost", 9) == 0)
		return is_localhost(origin);
	if (len > 2 && pattern[0] == '*' && pattern[1] == '.') {
		const char *start = strstr(origin, "://");

		/* Something before it: of the host, not of the scheme. */
		start = start ? start + 3 : origin;
		return n >= len && origin + n - (len - 1) > start &&
		       memcmp(origin + n - (len - 1), pattern + 1, len - 1) == 0;
	}
	return n == len && memcmp(origin, pattern, len) == 0;
}

bool cors_allows(const char *list, const char *origin)
{
	if (!origin || !origin[0])
		return false;
	for (const char *s = list; *s;) {
		size_t whole = strcspn(s, ","), len = whole, lead;

		lead = strspn(s, " \t");
		lead = lead < len ? lead : len;
		while (len > lead && (s[len - 1] == ' ' || s[len - 1] == '\t'))
			len--;
		if (len > lead && matches(s + lead, len - lead, origin))
			return true;
		s += s[whole] ? whole + 1 : whole;
	}
	return false;
}
