/*
 * kind_sql.c - db.sql.sqlite: a SQLite database.
 *
 * The file is opened when the entry is added, so that one that cannot be had rejects the entry; sql.get() works from
 * then on. As a service it is pinged at the start, and closed at the stop, once every handle is released or the stop
 * timeout is over.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/duration.h"
#include "bind/sql.h"
#include "service/kinds.h"
#include "service/runtime.h"
#include "service/supervisor.h"

enum { LIFETIME_DEFAULT_MS = 3600 * 1000, LOOK_MS = 10 };

struct database_service {
	struct database *db;
	struct service *service; /* while it starts or stops */
	struct sql_job *ping;    /* NULL: none */
	struct loop_timer look;  /* at the handles, while it stops */
	uint64_t stop_until_ns;
};

struct sqlite_fields {
	const char *file;
	int64_t lifetime_ns;
};

/* -- the entry's fields ------------------------------------------------------------------------------------ */

static int read_pool(struct sqlite_fields *f, const struct value *data, struct err *err)
{
	const struct value *pool = value_get(data, "pool");
	const char *text = NULL;
	struct err why;

	if (!pool || value_type(pool) == VALUE_NIL)
		return 0;
	if (value_type(pool) != VALUE_MAP)
		return err_set(err, ERR_INVALID, "field 'pool': expected map, got %s", value_type_name(pool));
	if (value_read_string(pool, "max_lifetime", &text, err) < 0)
		return -1;
	if (!text)
		return 0;
	if (duration_parse(text, strlen(text), &f->lifetime_ns, &why) < 0)
		return err_set(err, ERR_INVALID, "invalid max_lifetime: %.200s", why.text);
	if (f->lifetime_ns <= 0)
		return err_set(err, ERR_INVALID, "max lifetime must be greater than 0");
	return 0;
}

/* `f->file` borrows from `data`. */
static int read_fields(struct sqlite_fields *f, const struct value *data, struct err *err)
{
	size_t len;

	*f = (struct sqlite_fields){.file = "", .lifetime_ns = LIFETIME_DEFAULT_MS * INT64_C(1000000)};
	if (value_read_string(data, "file", &f->file, err) < 0)
		goto fail;
	len = strlen(f->file);
	if (len == 0) {
		err_set(err, ERR_INVALID, "file path is required");
		goto fail;
	}
	if (len >= PATH_MAX) {
		err_set(err, ERR_INVALID, "file path is longer than %d bytes", PATH_MAX - 1);
		goto fail;
	}
	if (read_pool(f, data, err) < 0)
		goto fail;
	return 0;
fail:
	return err_prefix(err, "invalid configuration");
}

static uint64_t lifetime_ms(const struct sqlite_fields *f)
{
	return f->lifetime_ns < 1000000 ? 1 : (uint64_t)f->lifetime_ns / 1000000;
}

/* -- the service ------------------------------------------------------------------------------------------- */

static void on_ping(void *arg, struct sql_answer *a)
{
	struct database_service *ds = arg;

	ds->ping = NULL;
	if (a->rc == 0) {
		service_started(ds->service);
		return;
	}
	a->err.kind = ERR_UNAVAILABLE;
	err_retryable(&a->err);
	err_prefix(&a->err, "failed to ping database");
	service_failed(ds->service, &a->err);
}

static void forget_ping(struct database_service *ds)
{
	if (ds->ping)
		sql_job_cancel(ds->ping);
	ds->ping = NULL;
}

static void service_start(struct service *s)
{
	static const char text[] = "SELECT 1";
	struct database_service *ds = service_self(s);
	struct sql_request q = {
		.op = SQL_EXECUTE,
		.text = text,
		.len = sizeof(text) - 1,
		.loop = service_runtime(s)->loop,
		.done = on_ping,
		.arg = ds,
	};
	struct err e;

	ds->service = s;
	database_set_draining(ds->db, false);
	if (database_reopen(ds->db, &e) < 0) {
		err_retryable(&e);
		service_failed(s, &e);
		return;
	}
	ds->ping = database_submit(ds->db, &q);
}

static void look(struct loop_timer *t)
{
	struct database_service *ds = container_of(t, struct database_service, look);

	if (database_handles(ds->db) > 0 && loop_clock_ns() < ds->stop_until_ns) {
		loop_timer_start_ms(t, LOOK_MS);
		return;
	}
	database_close(ds->db);
	service_stopped(ds->service);
}

static void service_stop(struct service *s)
{
	struct database_service *ds = service_self(s);

	ds->service = s;
	forget_ping(ds);
	database_set_draining(ds->db, true);
	ds->stop_until_ns = loop_clock_ns() + service_stop_timeout_ms(s) * 1000000;
	loop_timer_start_ms(&ds->look, 0);
}

static void service_abandon(struct service *s)
{
	forget_ping(service_self(s));
}

/* Whoever still has a handle finds the database closed. */
static void service_free(void *self)
{
	struct database_service *ds = self;

	forget_ping(ds);
	loop_timer_stop(&ds->look);
	if (ds->db)
		database_close(ds->db);
	database_unref(ds->db);
	free(ds);
}

static const struct service_ops ops = {
	.start = service_start,
	.stop = service_stop,
	.free = service_free,
	.abandon = service_abandon,
};

/* -- the entry --------------------------------------------------------------------------------------------- */

static int open_database(const struct entry *e, struct database **ret_db, struct err *err)
{
	struct sqlite_fields f;
	struct database_config cfg = {.name = e->id};

	if (read_fields(&f, e->data, err) < 0)
		return -1;
	cfg.file = f.file;
	cfg.max_lifetime_ms = lifetime_ms(&f);
	return database_open(&cfg, ret_db, err);
}

static int sqlite_add(struct runtime *rt, struct entry *e, struct err *err)
{
	struct database_service *ds;
	struct database *db;

	if (open_database(e, &db, err) < 0)
		return -1;
	ds = xcalloc(1, sizeof(*ds));
	ds->db = db;
	loop_timer_init(&ds->look, rt->loop, look);
	if (supervisor_add(rt->supervisor, e, &ops, ds, NULL, err) < 0) {
		service_free(ds);
		return -1;
	}
	instances_put(rt->node.instances, e->id, &database_type, database_ref(db));
	return 0;
}

/* Another file counts when the entry is removed and added. */
static int sqlite_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	struct service *s = supervisor_find(rt->supervisor, e->id);
	struct sqlite_fields f;

	(void)old;
	if (!s)
		return err_set(err, ERR_NOT_FOUND, "service not found");
	if (read_fields(&f, e->data, err) < 0 || supervisor_update_lifecycle(rt->supervisor, e, NULL, err) < 0)
		return -1;
	database_set_max_lifetime(((struct database_service *)service_self(s))->db, lifetime_ms(&f));
	return 0;
}

static void sqlite_remove(struct runtime *rt, struct entry *e)
{
	instances_remove(rt->node.instances, e->id);
	supervisor_remove(rt->supervisor, e->id);
}

const struct kind db_sql_sqlite_kind = {
	.name = "db.sql.sqlite",
	.summary = "a SQLite database",
	.add = sqlite_add,
	.update = sqlite_update,
	.remove = sqlite_remove,
};
