#include "engine/module.h"

#include <string.h>

const struct module *module_find(const struct module_list *list, const char *name)
{
	if (!list)
		return NULL;
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->modules[i].name, name) == 0)
			return &list->modules[i];
	}
	return NULL;
}
