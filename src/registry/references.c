#include "registry/references.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "registry/env.h"

/* Dotted paths; '*' as a segment stands for every key or item, as part of one for any text. */
static const char *const data_paths[] = {
	"config",
	"groups",
	"imports.*",
	"*.depends_on",
	"lifecycle.requires",
	"lifecycle.depends_on",
	"lifecycle.security.policies",
	"lifecycle.security.groups",
	"token_store",
	"security.policies",
	"security.groups",
	"security.token_store",
	"env",
	"*_env",
	"storage",
	"storages",
	"server",
	"middleware",
	"post_middleware",
	"network",
	"tls.*_env",
	"host",
	"process",
	"func",
	"contracts.*.contract",
	"contracts.*.methods.*",
	"fs",
	"queue",
	"driver",
	"dead_letter.queue",
	"set",
	"store",
	"bucket",
	"client",
};

static const char *const meta_paths[] = {
	"parent",
	"depends_on",
	"groups",
	"server",
	"router",
	"*_env",
	"options.network",
};

struct visit {
	void (*fn)(void *arg, const char *text);
	void *arg;
};

static void visit_leaf(const struct value *v, const struct visit *to)
{
	if (value_type(v) == VALUE_STRING) {
		to->fn(to->arg, value_get_string(v, NULL));
		return;
	}
	for (size_t i = 0; i < value_count(v); i++) {
		const char *key;
		const struct value *item = value_type(v) == VALUE_LIST ? value_at(v, i) : value_pair(v, i, &key, NULL);

		if (value_type(item) == VALUE_STRING)
			to->fn(to->arg, value_get_string(item, NULL));
	}
}

static bool segment_matches(const char *pattern, size_t len, const char *key)
{
	const char *star = memchr(pattern, '*', len);
	size_t before, after, klen = strlen(key);

	if (!star)
		return klen == len && memcmp(pattern, key, len) == 0;
	before = (size_t)(star - pattern);
	after = len - before - 1;
	return klen >= before + after && memcmp(pattern, key, before) == 0 &&
	       memcmp(star + 1, key + klen - after, after) == 0;
}

static void visit_path(const struct value *v, const char *path, const struct visit *to)
{
	const char *dot = strchr(path, '.');
	size_t len = dot ? (size_t)(dot - path) : strlen(path);

	if (value_type(v) == VALUE_LIST && len == 1 && path[0] == '*') {
		for (size_t i = 0; i < value_count(v); i++) {
			if (dot)
				visit_path(value_at(v, i), dot + 1, to);
			else
				visit_leaf(value_at(v, i), to);
		}
		return;
	}
	if (value_type(v) != VALUE_MAP)
		return;
	for (size_t i = 0; i < value_count(v); i++) {
		const char *key;
		const struct value *item = value_pair(v, i, &key, NULL);

		if (!segment_matches(path, len, key))
			continue;
		if (dot)
			visit_path(item, dot + 1, to);
		else
			visit_leaf(item, to);
	}
}

void entry_references(const struct entry *e, void (*fn)(void *arg, const char *text), void *arg)
{
	struct visit to = {fn, arg};

	for (size_t i = 0; i < ARRAY_LEN(data_paths); i++)
		visit_path(e->data, data_paths[i], &to);
	for (size_t i = 0; i < ARRAY_LEN(meta_paths); i++)
		visit_path(e->meta, meta_paths[i], &to);
}

bool entry_lists_group(const struct entry *e, const char *group)
{
	const struct value *groups = value_get(e->meta, "groups");

	for (size_t i = 0; i < value_count(groups); i++) {
		const struct value *g = value_at(groups, i);

		if (value_type(g) == VALUE_STRING && strcmp(value_get_string(g, NULL), group) == 0)
			return true;
	}
	return false;
}

static bool is_policy(const struct entry *e)
{
	return strncmp(e->kind, "security.policy", 15) == 0;
}

bool entry_lists_policy_group(const struct entry *e, const char *group, const struct entry *asking)
{
	const struct value *groups = value_get(e->data, "groups");
	bool found = false;

	if (!is_policy(e) || is_policy(asking))
		return false;
	for (size_t i = 0; i < value_count(groups) && !found; i++) {
		const struct value *g = value_at(groups, i);
		char *id;

		if (value_type(g) != VALUE_STRING)
			continue;
		id = entry_id_resolve(value_get_string(g, NULL), e->ns);
		found = strcmp(id, group) == 0;
		free(id);
	}
	return found;
}

const char *entry_variable_name(const struct entry *e)
{
	return strcmp(e->kind, "env.variable") == 0 ? value_text_at(e->data, "variable") : "";
}
