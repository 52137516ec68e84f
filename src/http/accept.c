#include "http/accept.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const char blanks[] = " \t";

/* "0.8" in thousandths, section 12.4.2; -1: no weight. */
static int read_weight(const char *s, size_t len)
{
	int weight, unit = 1000;

	if (len == 0 || len > 5 || (s[0] != '0' && s[0] != '1') || (len > 1 && s[1] != '.'))
		return -1;
	weight = (s[0] - '0') * unit;
	for (size_t i = 2; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		unit /= 10;
		weight += (s[i] - '0') * unit;
	}
	return weight > 1000 ? -1 : weight;
}

/* The weight of one element without its coding: ";q=0.5". */
static int element_weight(const char *s, const char *end)
{
	while (s < end) {
		size_t len;

		s += strspn(s, "; \t");
		if (s >= end)
			break;
		len = strcspn(s, ";,");
		if (len >= 2 && strncasecmp(s, "q=", 2) == 0) {
			size_t n = len - 2;

			while (n > 0 && strchr(blanks, s[1 + n]))
				n--;
			return read_weight(s + 2, n);
		}
		s += len;
	}
	return 1000;
}

int http_accept_encoding(const char *field, const char *const *offered, size_t n)
{
	int best = -1, best_weight = 0;

	if (!field)
		return -1;
	for (size_t i = 0; i < n; i++) {
		for (const char *s = field; *s;) {
			const char *from = s + strspn(s, blanks), *end = from + strcspn(from, ",");
			size_t name = strcspn(from, ";, \t");

			if (name == strlen(offered[i]) && strncasecmp(from, offered[i], name) == 0) {
				int weight = element_weight(from + name, end);

				if (weight > best_weight) {
					best_weight = weight;
					best = (int)i;
				}
				break;
			}
			s = *end ? end + 1 : end;
		}
	}
	return best;
}
