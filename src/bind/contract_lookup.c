/*
 * contract_lookup.c - contracts and bindings in the registry.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/hex.h"
#include "bind/contract.h"
#include "bind/contract_entry.h"
#include "registry/registry.h"

static void *ref_entry(void *object)
{
	return entry_ref(object);
}

static void unref_entry(void *object)
{
	entry_unref(object);
}

const struct instance_type contract_entry_type = {"contract", ref_entry, unref_entry};

static struct entry *find(lua_State *L, const char *id, const char *kind)
{
	struct entry *en = instances_get(current_node(L)->instances, id, &contract_entry_type, NULL);

	if (en && strcmp(en->kind, kind) == 0)
		return en;
	entry_unref(en);
	return NULL;
}

struct entry *contract_find(lua_State *L, const char *id, struct err *e)
{
	struct entry *en = find(L, id, "contract.definition");

	if (!en)
		err_set(e, ERR_NOT_FOUND, "contract definition '%.256s' not found", id);
	return en;
}

struct entry *binding_find(lua_State *L, const char *id, struct err *e)
{
	struct entry *en = find(L, id, "contract.binding");

	if (!en)
		err_set(e, ERR_NOT_FOUND, "contract binding '%.256s' not found", id);
	return en;
}

const struct value *contract_method(const struct entry *contract, const char *name, size_t len)
{
	const struct value *methods = value_get(contract->data, "methods");

	for (size_t i = 0; i < value_count(methods); i++) {
		const struct value *m = value_at(methods, i);
		size_t n = 0;
		const char *each = value_get_string(value_get(m, "name"), &n);

		if (n == len && memcmp(each, name, len) == 0)
			return m;
	}
	return NULL;
}

const struct value *binding_of_contract(const struct entry *binding, const char *contract_id)
{
	const struct value *list = value_get(binding->data, "contracts");

	for (size_t i = 0; i < value_count(list); i++) {
		const struct value *c = value_at(list, i);
		char *id = entry_id_resolve(value_get_string(value_get(c, "contract"), NULL), binding->ns);
		bool same = strcmp(id, contract_id) == 0;

		free(id);
		if (same)
			return c;
	}
	return NULL;
}

/* A reference; NULL when the entry there is no binding. */
static struct entry *find_binding_at(lua_State *L, const struct snapshot *s, size_t i)
{
	const struct entry *e = snapshot_at(s, i);

	return strcmp(e->kind, "contract.binding") == 0 ? find(L, e->id, e->kind) : NULL;
}

void push_implementations(lua_State *L, const char *contract_id)
{
	struct snapshot *s = registry_snapshot(current_node(L)->registry);
	struct value *ids = value_list();

	for (size_t i = 0; i < snapshot_count(s); i++) {
		const char *id = snapshot_at(s, i)->id;
		struct entry *en = find_binding_at(L, s, i);

		if (en && binding_of_contract(en, contract_id))
			value_list_append(ids, value_cstring(id));
		entry_unref(en);
	}
	snapshot_unref(s);
	value_push(L, ids);
	value_unref(ids);
}

struct entry *default_binding(lua_State *L, const char *contract_id, struct err *e)
{
	struct snapshot *s = registry_snapshot(current_node(L)->registry);
	struct entry *found = NULL;

	for (size_t i = 0; i < snapshot_count(s) && !found; i++) {
		struct entry *en = find_binding_at(L, s, i);
		const struct value *c, *is_default;

		if (!en)
			continue;
		c = binding_of_contract(en, contract_id);
		is_default = value_get(c, "default");
		if (value_type(is_default) == VALUE_BOOL && value_get_bool(is_default))
			found = en;
		else
			entry_unref(en);
	}
	snapshot_unref(s);
	if (!found)
		err_set(e, ERR_NOT_FOUND, "no default binding for contract '%.256s'", contract_id);
	return found;
}

/* -- queries ----------------------------------------------------------------------------------------- */

char *binding_id_split(const char *text, const char **ret_query)
{
	const char *mark = strchr(text, '?');

	*ret_query = mark ? mark + 1 : NULL;
	return xmemdupz(text, mark ? (size_t)(mark - text) : strlen(text));
}

static char *decode(const char *s, size_t len)
{
	struct buf b = BUF_INIT;
	char *text;

	for (size_t i = 0; i < len; i++) {
		char c = s[i];
		int byte = c == '%' && i + 2 < len ? hex_byte(s + i + 1) : -1;

		if (c == '+') {
			c = ' ';
		} else if (byte >= 0) {
			c = (char)byte;
			i += 2;
		}
		buf_add(&b, &c, 1);
	}
	text = xmemdupz(buf_str(&b), buf_len(&b));
	buf_done(&b);
	return text;
}

static struct value *typed(const char *text)
{
	long long i;
	double f;
	char *end;

	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return value_bool(*text == 't');
	if (*text == '\0' || strspn(text, "+-0123456789.eE") != strlen(text))
		return value_cstring(text);
	errno = 0;
	i = strtoll(text, &end, 10);
	if (errno == 0 && *end == '\0')
		return value_int(i);
	f = strtod(text, &end);
	return *end == '\0' ? value_float(f) : value_cstring(text);
}

void query_values(const char *query, struct value *map)
{
	while (query && *query) {
		size_t len = strcspn(query, "&"), name = strcspn(query, "=&");
		char *key = decode(query, name);
		char *text = name < len ? decode(query + name + 1, len - name - 1) : xstrdup("");

		if (*key)
			value_map_set(map, key, typed(text));
		free(key);
		free(text);
		query += len + (query[len] == '&');
	}
}
