/*
 * lint_suggest.c - "did you mean": the edit distance that counts two neighbours swapped as one step.
 */
#include <stdlib.h>
#include <string.h>

#include "app/lint.h"
#include "base/alloc.h"

enum { SUGGESTED_MAX = 40 }; /* bytes of a name worth comparing */

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Both at most SUGGESTED_MAX long. */
static size_t distance(const char *a, size_t na, const char *b, size_t nb)
{
	size_t rows[3][SUGGESTED_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= nb; j++)
		last[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t *free_row = before;

		now[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);

			best = min(best, min(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = min(best, before[j - 2] + 1);
			now[j] = best;
		}
		before = last;
		last = now;
		now = free_row;
	}
	return last[nb];
}

void suggestion_offer(struct suggestion *s, const char *candidate, size_t len)
{
	size_t wanted = strlen(s->wanted), d;
	/* One step in a short name, two in a longer one; never a different name altogether. */
	size_t most = wanted <= 2 ? 0 : wanted <= 4 ? 1 : 2;

	if (wanted > SUGGESTED_MAX || len > SUGGESTED_MAX || len == 0 || len > wanted + most || wanted > len + most)
		return;
	d = distance(s->wanted, wanted, candidate, len);
	if (d == 0 || d > most || (s->best && d > s->distance))
		return;
	/* Of equals the first in the alphabet, so that the text is the same each time. */
	if (s->best && d == s->distance && strncmp(candidate, s->best, len) >= 0)
		return;
	free(s->best);
	s->best = xmemdupz(candidate, len);
	s->distance = d;
}

char *suggestion_take(struct suggestion *s)
{
	char *text = s->best ? xasprintf("; did you mean '%s'?", s->best) : xstrdup("");

	free(s->best);
	s->best = NULL;
	return text;
}
