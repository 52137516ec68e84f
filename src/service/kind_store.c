/*
 * kind_store.c - store.memory and store.sql: key-value stores.
 *
 * A store is open while its service runs. What it holds in memory stays when the service is stopped, and is gone with
 * the program.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "bind/sql.h"
#include "bind/store.h"
#include "service/kinds.h"
#include "service/runtime.h"
#include "service/supervisor.h"

enum { MAX_SIZE_DEFAULT = 10000 };

static const int64_t memory_interval_ns = INT64_C(300) * 1000000000;

struct store_service {
	struct runtime *rt;
	struct store *store;
	char *id;
	int64_t interval_ns; /* between cleanings; 0 = never */
	struct loop_timer timer;
	struct store_wait *cleaning;
	bool running;
};

/* -- cleaning ---------------------------------------------------------------------------------------------- */

static void arm(struct store_service *ss)
{
	loop_timer_stop(&ss->timer);
	if (ss->running && ss->interval_ns > 0)
		loop_timer_start_ns(&ss->timer, (uint64_t)ss->interval_ns);
}

static void on_cleaned(void *arg, struct store_answer *a)
{
	struct store_service *ss = arg;

	ss->cleaning = NULL;
	if (a->rc < 0)
		log_warn("store", "expired entries not removed", LOG_STR("store", ss->id),
			LOG_STR("error", a->err.text));
	arm(ss);
}

static void on_timer(struct loop_timer *t)
{
	struct store_service *ss = container_of(t, struct store_service, timer);

	ss->cleaning = store_clean(ss->store, ss->rt->loop, on_cleaned, ss);
	if (!ss->cleaning)
		arm(ss);
}

static void stop_cleaning(struct store_service *ss)
{
	loop_timer_stop(&ss->timer);
	if (ss->cleaning)
		store_cancel(ss->cleaning);
	ss->cleaning = NULL;
}

/* -- the service ------------------------------------------------------------------------------------------- */

static void service_start(struct service *s)
{
	struct store_service *ss = service_self(s);

	ss->running = true;
	store_set_open(ss->store, true);
	arm(ss);
	service_started(s);
}

static void service_stop(struct service *s)
{
	struct store_service *ss = service_self(s);

	ss->running = false;
	stop_cleaning(ss);
	store_set_open(ss->store, false);
	service_stopped(s);
}

static void service_free(void *self)
{
	struct store_service *ss = self;

	stop_cleaning(ss);
	if (ss->store)
		store_set_open(ss->store, false);
	store_unref(ss->store);
	free(ss->id);
	free(ss);
}

static const struct service_ops ops = {
	.start = service_start,
	.stop = service_stop,
	.free = service_free,
};

/* Takes `store`. */
static int add_service(struct runtime *rt, struct entry *e, struct store *store, int64_t interval_ns, const char *needs,
	struct err *err)
{
	struct store_service *ss = xcalloc(1, sizeof(*ss));

	ss->rt = rt;
	ss->store = store;
	ss->id = xstrdup(e->id);
	ss->interval_ns = interval_ns;
	loop_timer_init(&ss->timer, rt->loop, on_timer);
	if (supervisor_add_needing(rt->supervisor, e, needs, &ops, ss, NULL, err) < 0) {
		service_free(ss);
		return -1;
	}
	instances_put(rt->node.instances, e->id, &store_type, store_ref(store));
	return 0;
}

static struct store_service *find_service(struct runtime *rt, const struct entry *e, struct err *err)
{
	struct service *s = supervisor_find(rt->supervisor, e->id);

	if (!s)
		err_set(err, ERR_NOT_FOUND, "service not found");
	return s ? service_self(s) : NULL;
}

static void store_remove(struct runtime *rt, struct entry *e)
{
	instances_remove(rt->node.instances, e->id);
	supervisor_remove(rt->supervisor, e->id);
}

/* A negative interval is none. */
static int read_interval(const struct value *data, int64_t *ns, struct err *err)
{
	if (value_read_duration(data, "cleanup_interval", ns, err) < 0)
		return -1;
	if (*ns < 0)
		return err_set(err, ERR_INVALID, "cleanup interval must not be negative");
	return 0;
}

/* -- store.memory ------------------------------------------------------------------------------------------ */

struct memory_fields {
	int64_t max_size;
	int64_t interval_ns;
};

static int read_memory_fields(const struct value *data, struct memory_fields *f, struct err *err)
{
	*f = (struct memory_fields){0};
	if (value_read_int(data, "max_size", &f->max_size, err) < 0 || read_interval(data, &f->interval_ns, err) < 0)
		return err_prefix(err, "invalid configuration");
	if (f->max_size < 0)
		return err_set(err, ERR_INVALID, "invalid configuration: max size must not be negative");
	if (f->max_size == 0)
		f->max_size = MAX_SIZE_DEFAULT;
	if (f->interval_ns == 0)
		f->interval_ns = memory_interval_ns;
	return 0;
}

static int memory_add(struct runtime *rt, struct entry *e, struct err *err)
{
	struct memory_fields f;

	if (read_memory_fields(e->data, &f, err) < 0)
		return -1;
	return add_service(rt, e, store_memory_new((size_t)f.max_size), f.interval_ns, NULL, err);
}

/* What it holds stays, also what is more than it may hold now. */
static int memory_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	struct store_service *ss = find_service(rt, e, err);
	struct memory_fields f;

	(void)old;
	if (!ss || read_memory_fields(e->data, &f, err) < 0 ||
		supervisor_update_lifecycle(rt->supervisor, e, NULL, err) < 0)
		return -1;
	store_memory_set_max_size(ss->store, (size_t)f.max_size);
	ss->interval_ns = f.interval_ns;
	if (!ss->cleaning)
		arm(ss);
	return 0;
}

const struct kind store_memory_kind = {
	.name = "store.memory",
	.summary = "a key-value store in memory",
	.add = memory_add,
	.update = memory_update,
	.remove = store_remove,
};

/* -- store.sql --------------------------------------------------------------------------------------------- */

struct source {
	struct instances *instances;
	char *id;
};

static struct database *source_find(void *arg, struct err *e)
{
	struct source *src = arg;

	return instances_get(src->instances, src->id, &database_type, e);
}

static void source_free(void *arg)
{
	struct source *src = arg;

	free(src->id);
	free(src);
}

static int read_name(const struct value *data, const char *field, const char **name, struct err *err)
{
	if (value_read_string(data, field, name, err) < 0)
		return -1;
	if (!**name)
		return err_set(err, ERR_INVALID, "%s is required", field);
	if (!store_sql_name_is_safe(*name))
		return err_set(err, ERR_INVALID, "field '%s': not a safe SQL identifier: %.100s", field, *name);
	return 0;
}

/* A name written out in full, or one of the entry's namespace. The database must be there: this also puts it before
 * the store. */
static int read_database(struct runtime *rt, const struct entry *e, struct source **ret, struct err *err)
{
	const char *id = "";
	struct database *db;
	struct source *src;

	if (value_read_string(e->data, "database", &id, err) < 0)
		return -1;
	if (!*id)
		return err_set(err, ERR_INVALID, "database is required");
	src = xcalloc(1, sizeof(*src));
	src->instances = rt->node.instances;
	src->id = entry_id_resolve(id, e->ns);
	db = source_find(src, err);
	if (!db) {
		source_free(src);
		return -1;
	}
	database_unref(db);
	*ret = src;
	return 0;
}

static int make_table(struct runtime *rt, const struct entry *e, struct store **ret_store, int64_t *interval_ns,
	char **ret_database, struct err *err)
{
	struct store_sql_config cfg = {
		.table = "",
		.id_column = "key",
		.payload_column = "value",
		.expire_column = "expires_at",
		.find = source_find,
		.free_arg = source_free,
	};
	const struct value *data = e->data;
	struct source *src = NULL;

	*interval_ns = 0;
	if (read_name(data, "table_name", &cfg.table, err) < 0 ||
		read_name(data, "id_column_name", &cfg.id_column, err) < 0 ||
		read_name(data, "payload_column_name", &cfg.payload_column, err) < 0 ||
		read_name(data, "expire_column_name", &cfg.expire_column, err) < 0 ||
		read_interval(data, interval_ns, err) < 0 || read_database(rt, e, &src, err) < 0)
		return err_prefix(err, "invalid configuration");
	cfg.find_arg = src;
	*ret_database = xstrdup(src->id);
	*ret_store = store_sql_new(&cfg);
	return 0;
}

static int table_add(struct runtime *rt, struct entry *e, struct err *err)
{
	struct store *store;
	int64_t interval_ns;
	char *database;
	int rc;

	if (make_table(rt, e, &store, &interval_ns, &database, err) < 0)
		return -1;
	rc = add_service(rt, e, store, interval_ns, database, err);
	free(database);
	return rc;
}

/* Whoever has the old store is told that it is closed. */
static int table_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	struct store_service *ss = find_service(rt, e, err);
	struct store *store;
	int64_t interval_ns;
	char *database;
	int rc;

	(void)old;
	if (!ss || make_table(rt, e, &store, &interval_ns, &database, err) < 0)
		return -1;
	rc = supervisor_update_lifecycle(rt->supervisor, e, database, err);
	free(database);
	if (rc < 0) {
		store_unref(store);
		return -1;
	}
	stop_cleaning(ss);
	store_set_open(ss->store, false);
	store_unref(ss->store);
	ss->store = store;
	ss->interval_ns = interval_ns;
	store_set_open(store, ss->running);
	arm(ss);
	instances_put(rt->node.instances, e->id, &store_type, store_ref(store));
	return 0;
}

const struct kind store_sql_kind = {
	.name = "store.sql",
	.summary = "a key-value store in a table of a database",
	.add = table_add,
	.update = table_update,
	.remove = store_remove,
};
