#include "service/http_mount.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/refcount.h"
#include "bind/fs.h"
#include "service/http_middlewares.h"
#include "service/http_static.h"
#include "value/json.h"

struct http_mount {
	struct refcount refs;
	char *id;
	char *server;
	char *path;
	char *pattern;
	struct http_static *files;
	struct http_target target;
};

/* What the entry says; borrowed from it but for `options`. */
struct read {
	const char *server;
	const char *path;
	const char *fs;
	const char *index;
	const char *cache;
	bool spa;
	bool precompressed;
	const struct value *names;
	struct value *options;
};

/* The keys of the older form, which are no options of a middleware. */
static bool is_old_key(const char *key)
{
	return strcmp(key, "spa") == 0 || strcmp(key, "index") == 0 || strcmp(key, "cache") == 0;
}

static int read_old(const struct value *options, struct read *r, struct err *err)
{
	const struct value *spa = value_get(options, "spa");

	if (spa && value_type(spa) == VALUE_STRING)
		r->spa = strcmp(value_get_string(spa, NULL), "true") == 0;
	else if (value_read_bool(options, "spa", &r->spa, err) < 0)
		return -1;
	if (value_read_string(options, "index", &r->index, err) < 0 ||
		value_read_string(options, "cache", &r->cache, err) < 0)
		return -1;
	return 0;
}

/* A map of texts: numbers and truth values as they are written. */
static struct value *texts_of(const struct value *options)
{
	struct value *map = value_map();

	for (size_t i = 0; i < value_count(options); i++) {
		const char *key;
		const struct value *v = value_pair(options, i, &key, NULL);
		struct buf text = BUF_INIT;

		if (is_old_key(key))
			continue;
		if (value_type(v) == VALUE_STRING)
			buf_adds(&text, value_get_string(v, NULL));
		else if (value_type(v) != VALUE_NIL)
			json_write(v, &text);
		value_map_set(map, key, value_string(buf_data(&text), buf_len(&text)));
		buf_done(&text);
	}
	return map;
}

static int read_type(const struct value *data, const char *key, enum value_type type, const char *what,
	const struct value **ret, struct err *err)
{
	const struct value *v = value_get(data, key);

	*ret = NULL;
	if (!v || value_type(v) == VALUE_NIL)
		return 0;
	if (value_type(v) != type)
		return err_set(err, ERR_INVALID,
			"failed to unmarshal config: line %u: field '%s': expected a %s, got %s", value_line(v), key,
			what, value_type_name(v));
	*ret = v;
	return 0;
}

static int read_entry(const struct entry *e, struct read *r, struct err *err)
{
	const struct value *options, *fixed;

	if (value_read_string(e->meta, "server", &r->server, err) < 0 ||
		value_read_string(e->data, "path", &r->path, err) < 0 ||
		value_read_string(e->data, "fs", &r->fs, err) < 0 ||
		read_type(e->data, "static_options", VALUE_MAP, "map", &fixed, err) < 0 ||
		read_type(e->data, "options", VALUE_MAP, "map", &options, err) < 0 ||
		read_type(e->data, "middleware", VALUE_LIST, "list", &r->names, err) < 0)
		return -1;
	if (fixed && (value_read_bool(fixed, "spa", &r->spa, err) < 0 ||
			     value_read_string(fixed, "index", &r->index, err) < 0 ||
			     value_read_string(fixed, "cache", &r->cache, err) < 0 ||
			     value_read_bool(fixed, "precompressed", &r->precompressed, err) < 0))
		return -1;
	if (options && read_old(options, r, err) < 0)
		return -1;
	r->options = texts_of(options);
	return 0;
}

static int check(const struct read *r, struct err *err)
{
	if (!r->path || !r->path[0])
		return err_set(err, ERR_INVALID, "path is required");
	if (r->path[0] != '/')
		return err_set(err, ERR_INVALID, "path must start with /");
	if (!r->fs || !r->fs[0])
		return err_set(err, ERR_INVALID, "fs is required: the id of a filesystem such as an fs.directory");
	if (!r->server || !r->server[0])
		return err_set(err, ERR_INVALID, "server metadata is required");
	if (r->spa && (!r->index || !r->index[0]))
		return err_set(err, ERR_INVALID, "index file must be specified for SPA mode");
	return 0;
}

static int check_fs(struct runtime *rt, const char *id, struct err *err)
{
	struct files_root *root = instances_get(rt->node.instances, id, &fs_instance_type, err);

	if (!root)
		return err->kind == ERR_NOT_FOUND ? err_set(err, ERR_NOT_FOUND, "filesystem not found: %s", id) : -1;
	files_root_unref(root);
	return 0;
}

static char *pattern_of(const char *path)
{
	size_t n = strlen(path);

	while (n > 0 && path[n - 1] == '/')
		n--;
	return xasprintf("%.*s/", (int)n, path);
}

int http_mount_new(struct runtime *rt, const struct entry *e, struct http_mount **ret_mount, struct err *err)
{
	struct middleware_chain *chain = NULL;
	struct read r = {0};
	struct http_mount *m;
	char *fs = NULL;
	int rc = -1;

	if (!e->data)
		return err_set(err, ERR_INVALID, "configuration data is required");
	if (read_entry(e, &r, err) < 0)
		goto out;
	if (check(&r, err) < 0) {
		err_prefix(err, "invalid configuration");
		goto out;
	}
	fs = entry_id_resolve(r.fs, e->ns);
	if (check_fs(rt, fs, err) < 0)
		goto out;
	if (r.names && middleware_chain_new(http_middlewares, &rt->node, r.names, r.options, &chain, err) < 0) {
		err_prefix(err, "failed to create middleware");
		goto out;
	}
	m = xcalloc(1, sizeof(*m));
	refcount_init(&m->refs);
	m->id = xstrdup(e->id);
	m->server = entry_id_resolve(r.server, e->ns);
	m->path = xstrdup(r.path);
	m->pattern = pattern_of(r.path);
	m->files = http_static_new(&(struct http_static_config){.node = &rt->node,
		.fs = fs,
		.path = r.path,
		.index = r.index,
		.cache = r.cache,
		.spa = r.spa,
		.precompressed = r.precompressed});
	m->target = (struct http_target){.outer = chain, .serve = http_static_serve, .arg = m->files};
	*ret_mount = m;
	rc = 0;
out:
	value_unref(r.options);
	free(fs);
	return rc;
}

struct http_mount *http_mount_ref(struct http_mount *m)
{
	refcount_inc(&m->refs);
	return m;
}

void http_mount_unref(struct http_mount *m)
{
	if (!m || !refcount_dec(&m->refs))
		return;
	middleware_chain_unref(m->target.outer);
	http_static_free(m->files);
	free(m->id);
	free(m->server);
	free(m->path);
	free(m->pattern);
	free(m);
}

const char *http_mount_server(const struct http_mount *m)
{
	return m->server;
}

const char *http_mount_pattern(const struct http_mount *m)
{
	return m->pattern;
}

struct http_target *http_mount_target(struct http_mount *m)
{
	return &m->target;
}
