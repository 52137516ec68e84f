#include "registry/secret.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), n = strlen(end);

	return len >= n && strcasecmp(name + len - n, end) == 0;
}

bool secret_field(const char *name)
{
	static const char *const names[] = {"access_key", "api_key", "auth_key", "credentials", "dsn", "key_pem",
		"passphrase", "passwd", "password", "private_key", "token", "token_key"};
	static const char *const ends[] = {"_password", "_secret", "_token", "_api_key", "_private_key"};

	if (ends_with(name, "_env"))
		return false;
	if (strncasecmp(name, "secret", 6) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcasecmp(name, names[i]) == 0)
			return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		if (ends_with(name, ends[i]))
			return true;
	}
	return false;
}

/* "${env:NAME}" and nothing else: no default, which could be the secret itself. */
static bool is_placeholder(const struct value *v)
{
	static const char open[] = "${env:";
	const char *at;
	size_t len;

	if (value_type(v) != VALUE_STRING)
		return false;
	at = value_get_string(v, &len);
	if (strlen(at) != len || strncmp(at, open, sizeof(open) - 1) != 0)
		return false;
	at += sizeof(open) - 1;
	while (isalnum((unsigned char)*at) || *at == '_' || *at == '.' || *at == ':')
		at++;
	return strcmp(at, "}") == 0;
}

/* A private key in PEM (RFC 7468) is one whatever its field is called. */
static bool is_private_key(const struct value *v)
{
	const char *text;
	size_t len;

	if (value_type(v) != VALUE_STRING)
		return false;
	text = value_get_string(v, &len);
	return memmem(text, len, "PRIVATE KEY-----", 16) != NULL;
}

/* Nothing there is no secret, and whether a switch is on neither. */
static bool is_worth_hiding(const struct value *v)
{
	switch (value_type(v)) {
	case VALUE_NIL:
	case VALUE_BOOL:
		return false;
	case VALUE_STRING:
		return value_get_string(v, NULL)[0] && !is_placeholder(v);
	default:
		return true;
	}
}

static bool is_hidden(const char *key, const struct value *v)
{
	return is_private_key(v) || (secret_field(key) && is_worth_hiding(v));
}

static bool has_secret(const struct value *v)
{
	for (size_t i = 0; i < value_count(v); i++) {
		const char *key = "";
		const struct value *item = value_type(v) == VALUE_LIST ? value_at(v, i) : value_pair(v, i, &key, NULL);

		if (is_hidden(key, item) || has_secret(item))
			return true;
	}
	return false;
}

static struct value *redact(const struct value *v)
{
	bool is_list = value_type(v) == VALUE_LIST;
	struct value *copy;

	if (!has_secret(v))
		return value_ref((struct value *)(uintptr_t)v);
	copy = is_list ? value_list() : value_map();
	for (size_t i = 0; i < value_count(v); i++) {
		const char *key = "";
		const struct value *item = is_list ? value_at(v, i) : value_pair(v, i, &key, NULL);
		struct value *fresh = is_hidden(key, item) ? value_cstring(SECRET_SHOWN_AS) : redact(item);

		if (is_list)
			value_list_append(copy, fresh);
		else
			value_map_set(copy, key, fresh);
	}
	value_set_position(copy, value_line(v), value_column(v));
	return copy;
}

/* A map whose keys stay and whose values are all secret. */
static struct value *redact_values(const struct value *map)
{
	struct value *copy = value_map();

	for (size_t i = 0; i < value_count(map); i++) {
		const char *key;

		value_pair(map, i, &key, NULL);
		value_map_set(copy, key, value_cstring(SECRET_SHOWN_AS));
	}
	return copy;
}

struct value *secret_redact(const char *kind, const struct value *data)
{
	struct value *v, *hidden;
	const struct value *name;

	if (value_type(data) == VALUE_NIL)
		return value_ref((struct value *)(uintptr_t)data);
	v = redact(data);
	name = value_get(v, "variable");
	if (strcmp(kind, "env.storage.static") == 0 && value_type(value_get(v, "values")) == VALUE_MAP)
		hidden = value_with_path(v, "values", redact_values(value_get(v, "values")));
	else if (strcmp(kind, "env.variable") == 0 && value_type(name) == VALUE_STRING &&
		 secret_field(value_get_string(name, NULL)) && is_worth_hiding(value_get(v, "default")))
		hidden = value_with_path(v, "default", value_cstring(SECRET_SHOWN_AS));
	else
		return v;
	value_unref(v);
	return hidden;
}
