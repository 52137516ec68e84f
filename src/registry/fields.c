#include "registry/fields.h"

#include <string.h>

#include "base/alloc.h"
#include "base/edit_distance.h"
#include "base/log.h"

static const char *const common[] = {"depends_on", "lifecycle", NULL};

static bool is_in(const char *const *names, const char *name, size_t len)
{
	for (; names && *names; names++) {
		if (strlen(*names) == len && memcmp(*names, name, len) == 0)
			return true;
	}
	return false;
}

static bool is_secret(const char *const *names, const char *name)
{
	static const char *const ends[] = {"", "_env", "_file", "_fd"};
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		size_t end = strlen(ends[i]);

		if (len > end && strcmp(name + len - end, ends[i]) == 0 && is_in(names, name, len - end))
			return true;
	}
	return false;
}

static void find_nearest(const char *const *names, const char *name, const char **nearest, size_t *distance)
{
	for (; names && *names; names++) {
		size_t d = edit_distance(name, *names);

		if (d < *distance) {
			*distance = d;
			*nearest = *names;
		}
	}
}

void entry_warn_unknown_fields(
	const struct entry *e, const char *const *fields, const char *const *secrets, void (*warn)(const char *text))
{
	for (size_t i = 0; i < value_count(e->data); i++) {
		const char *nearest = NULL, *name;
		const struct value *v = value_pair(e->data, i, &name, NULL);
		size_t distance = strlen(name) / 3 + 1; /* further away is no typing mistake */
		struct err what;

		if (is_in(fields, name, strlen(name)) || is_in(common, name, strlen(name)) || is_secret(secrets, name))
			continue;
		find_nearest(fields, name, &nearest, &distance);
		find_nearest(secrets, name, &nearest, &distance);
		err_set(&what, ERR_INVALID, "field '%.64s': unknown field, ignored%s%s%s", name,
			nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
		entry_prefix(&what, e, v);
		if (warn)
			warn(what.text);
		else
			log_warn("registry", what.text);
	}
}
