#include "service/history_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sql/database.h"

struct store {
	struct database *db;
};

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS registry_versions (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL,"
	" created_at INTEGER NOT NULL DEFAULT (unixepoch()), changes TEXT NOT NULL);"
	"CREATE TABLE IF NOT EXISTS registry_head (only_row INTEGER PRIMARY KEY CHECK (only_row = 1),"
	" version INTEGER NOT NULL)";

/* -- statements ----------------------------------------------------------------------------------- */

/* Takes `params`. */
static int call(struct store *s, enum sql_op op, const char *text, struct sql_params *params,
	struct sql_session *session, struct sql_answer *ret)
{
	struct sql_request q = {
		.op = op, .text = text, .len = text ? strlen(text) : 0, .params = params, .session = session};

	return database_call(s->db, &q, ret);
}

static int run(struct store *s, enum sql_op op, const char *text, struct sql_params *params,
	struct sql_session *session, struct err *e)
{
	struct sql_answer a = {0};
	int rc = call(s, op, text, params, session, &a);

	if (rc < 0)
		*e = a.err;
	sql_answer_done(&a);
	return rc;
}

static int put_head(struct store *s, uint64_t id, struct sql_session *session, struct err *e)
{
	struct sql_params *p = sql_params_new();

	if (sql_params_add_int(p, (int64_t)id, e) < 0) {
		sql_params_free(p);
		return -1;
	}
	return run(s, SQL_EXECUTE, "INSERT OR REPLACE INTO registry_head (only_row, version) VALUES (1, ?)", p, session,
		e);
}

static int put_version(struct store *s, uint64_t id, uint64_t parent, const char *text, size_t len,
	struct sql_session *session, struct err *e)
{
	struct sql_params *p = sql_params_new();

	if (sql_params_add_int(p, (int64_t)id, e) < 0 || sql_params_add_int(p, (int64_t)parent, e) < 0 ||
		sql_params_add_text(p, text, len, e) < 0) {
		sql_params_free(p);
		return -1;
	}
	return run(
		s, SQL_EXECUTE, "INSERT INTO registry_versions (id, parent, changes) VALUES (?, ?, ?)", p, session, e);
}

/* -- the store ------------------------------------------------------------------------------------ */

static int store_append(void *self, uint64_t id, uint64_t parent, const char *text, size_t len, struct err *e)
{
	struct store *s = self;
	struct sql_session *session = sql_session_new(s->db);
	int rc = run(s, SQL_BEGIN, NULL, NULL, session, e);

	if (rc == 0)
		rc = put_version(s, id, parent, text, len, session, e);
	if (rc == 0)
		rc = put_head(s, id, session, e);
	if (rc == 0)
		rc = run(s, SQL_COMMIT, NULL, NULL, session, e);
	/* Rolled back unless it was committed. */
	sql_session_free(session);
	return rc;
}

static int store_set_head(void *self, uint64_t id, struct err *e)
{
	return put_head(self, id, NULL, e);
}

/* One row at a time: all changes together may be more than one result holds. */
static int load_one(struct store *s, uint64_t after, history_each_fn *each, void *arg, uint64_t *ret_id, struct err *e)
{
	struct sql_params *p = sql_params_new();
	struct sql_answer a = {0};
	struct sql_value id, parent, text;
	int rc = -1;

	if (sql_params_add_int(p, (int64_t)after, e) < 0) {
		sql_params_free(p);
		return -1;
	}
	if (call(s, SQL_QUERY, "SELECT id, parent, changes FROM registry_versions WHERE id > ? ORDER BY id LIMIT 1", p,
		    NULL, &a) < 0) {
		*e = a.err;
		goto out;
	}
	*ret_id = 0;
	rc = 0;
	if (sql_result_nrows(a.result) == 0)
		goto out;
	id = sql_result_at(a.result, 0, 0);
	parent = sql_result_at(a.result, 0, 1);
	text = sql_result_at(a.result, 0, 2);
	if (id.type != SQL_INT || parent.type != SQL_INT || parent.i < 0 || text.type != SQL_TEXT) {
		rc = err_set(e, ERR_INVALID, "the table registry_versions holds something else than versions");
		goto out;
	}
	*ret_id = (uint64_t)id.i;
	rc = each(arg, (uint64_t)id.i, (uint64_t)parent.i, text.text, text.len, e);
out:
	sql_answer_done(&a);
	return rc;
}

static int store_load(void *self, history_each_fn *each, void *arg, uint64_t *ret_head, struct err *e)
{
	struct store *s = self;
	struct sql_answer a = {0};
	uint64_t id = 0;
	int rc;

	do {
		if (load_one(s, id, each, arg, &id, e) < 0)
			return -1;
	} while (id != 0);
	rc = call(s, SQL_QUERY, "SELECT version FROM registry_head", NULL, NULL, &a);
	if (rc < 0)
		*e = a.err;
	else if (sql_result_nrows(a.result) > 0 && sql_result_at(a.result, 0, 0).type == SQL_INT)
		*ret_head = (uint64_t)sql_result_at(a.result, 0, 0).i;
	sql_answer_done(&a);
	return rc;
}

static void store_close(void *self)
{
	struct store *s = self;

	database_close(s->db);
	database_unref(s->db);
	free(s);
}

/* -- opening -------------------------------------------------------------------------------------- */

/* Also the folder it is in. */
static int make_file(const char *path, struct err *e)
{
	char *folder = xstrdup(path), *slash = strrchr(folder, '/');
	int fd;

	if (slash && slash != folder) {
		*slash = '\0';
		mkdir(folder, 0700); /* what is wrong shows with the file */
	}
	free(folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		return err_set_errno(e, ERR_UNAVAILABLE, errno,
			"registry.history_path: cannot open '%s'; choose a file this program may write", path);
	close(fd);
	return 0;
}

int history_open_sqlite(const char *path, struct history **ret, struct err *e)
{
	static const struct history_store ops = {
		.load = store_load, .append = store_append, .set_head = store_set_head, .close = store_close};
	struct database_config cfg = {.name = "registry history", .file = path};
	struct store *s;

	if (make_file(path, e) < 0)
		return -1;
	s = xcalloc(1, sizeof(*s));
	if (database_open(&cfg, &s->db, e) < 0) {
		free(s);
		return -1;
	}
	if (database_exec(s->db, schema, e) < 0 || history_open(&ops, s, ret, e) < 0) {
		store_close(s);
		return -1;
	}
	return 0;
}
