#include "registry/kind.h"

#include <stdint.h>
#include <string.h>

const struct kind *kind_find(const struct kind_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->kinds[i]->name, name) == 0)
			return list->kinds[i];
	}
	return NULL;
}

/* How many single-byte edits turn `a` into `b`; only for short texts. */
static size_t edit_distance(const char *a, const char *b)
{
	enum { LEN_MAX = 63 };
	size_t row[LEN_MAX + 1], la = strlen(a), lb = strlen(b);

	if (la > LEN_MAX || lb > LEN_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

int kind_refuse(const struct kind_list *list, const char *name, struct err *err)
{
	const char *nearest = NULL;
	size_t nearest_distance = 4; /* further away is no typing mistake */

	for (size_t i = 0; i < list->count; i++) {
		size_t d = edit_distance(name, list->kinds[i]->name);

		if (d < nearest_distance) {
			nearest_distance = d;
			nearest = list->kinds[i]->name;
		}
	}
	if (nearest)
		return err_set(
			err, ERR_INVALID, "field 'kind': no listener for kind '%s'; did you mean '%s'?", name, nearest);
	return err_set(err, ERR_INVALID,
		"field 'kind': no listener for kind '%s'; `wippy help kinds` lists those there are", name);
}
