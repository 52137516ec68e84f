#include "registry/kind.h"

#include <string.h>

#include "base/edit_distance.h"

const struct kind *kind_find(const struct kind_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->kinds[i]->name, name) == 0)
			return list->kinds[i];
	}
	for (size_t i = 0; i < list->count; i++) {
		size_t len = strlen(list->kinds[i]->name);

		if (list->kinds[i]->is_family && strncmp(list->kinds[i]->name, name, len) == 0 && name[len] == '.')
			return list->kinds[i];
	}
	return NULL;
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
