#include "registry/kind.h"

#include <string.h>

const struct kind *kind_find(const struct kind_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->kinds[i]->name, name) == 0)
			return list->kinds[i];
	}
	return NULL;
}
