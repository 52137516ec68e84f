/*
 * fs_list.c - the iterator of readdir(): names come in batches, so that a folder of any size takes little memory.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/current.h"
#include "bind/fs.h"
#include "bind/pool_job.h"
#include "engine/lua_api.h"

static const char list_type[] = "fs.list";

/* The folder is closed when the last one leaves: the iterator or a job on the pool. */
struct shared_list {
	unsigned refs; /* on one worker */
	struct files_list *list;
};

struct iterator {
	struct shared_list *shared; /* NULL when closed */
	struct resource resource;
	struct buf names;
	bool more;
	bool reading;
};

struct list_job {
	struct pool_job job;
	struct shared_list *shared;
	struct iterator *it; /* on the stack of the coroutine that waits */
	struct buf names;
	int rc;
	struct err err;
};

static void shared_unref(struct shared_list *s)
{
	if (!s || --s->refs > 0)
		return;
	files_list_free(s->list);
	free(s);
}

static void iterator_close(struct iterator *it)
{
	resource_drop(&it->resource);
	shared_unref(it->shared);
	it->shared = NULL;
	it->more = false;
}

static void iterator_release(struct resource *r)
{
	iterator_close(container_of(r, struct iterator, resource));
}

static int iterator_gc(lua_State *L)
{
	struct iterator *it = lua_touserdata(L, 1);

	iterator_close(it);
	buf_done(&it->names);
	return 0;
}

static void job_work(struct pool_job *j)
{
	struct list_job *l = container_of(j, struct list_job, job);

	l->rc = files_list_next(l->shared->list, FS_LIST_BATCH, &l->names, &l->err);
}

static void job_free(struct pool_job *j)
{
	struct list_job *l = container_of(j, struct list_job, job);

	shared_unref(l->shared);
	buf_done(&l->names);
	free(l);
}

/* Push {name, type}, or nil at the end. */
static int push_next(lua_State *L, struct iterator *it)
{
	const char *s = buf_data(&it->names);

	if (buf_len(&it->names) == 0) {
		iterator_close(it);
		lua_pushnil(L);
		return 1;
	}
	lua_createtable(L, 0, 2);
	lua_pushstring(L, s + 1);
	lua_setfield(L, -2, "name");
	lua_pushstring(L, s[0] == 'd' ? "directory" : "file");
	lua_setfield(L, -2, "type");
	buf_consume(&it->names, strlen(s) + 1);
	return 1;
}

static int job_finish(lua_State *L, struct pool_job *j)
{
	struct list_job *l = container_of(j, struct list_job, job);
	struct iterator *it = l->it;

	it->reading = false;
	if (l->rc < 0) {
		char text[ERR_TEXT_MAX];

		memcpy(text, l->err.text, sizeof(text));
		iterator_close(it);
		return raise_text(L, "failed to read directory: %s", text);
	}
	buf_done(&it->names);
	it->names = l->names;
	buf_init(&l->names);
	it->more = l->rc > 0;
	return push_next(L, it);
}

/* Called as function(state, previous). */
static int l_next(lua_State *L)
{
	struct iterator *it = handle_check(L, 1, list_type);
	struct list_job *l;

	if (it->reading)
		return raise_text(L, "another coroutine is using this iterator");
	if (buf_len(&it->names) > 0 || !it->more || !it->shared)
		return push_next(L, it);
	lua_settop(L, 1);
	l = xcalloc(1, sizeof(*l));
	l->job.work = job_work;
	l->job.finish = job_finish;
	l->job.free = job_free;
	l->shared = it->shared;
	l->shared->refs++;
	l->it = it;
	/* A killed waiter leaves it set: its iterator ends with it. */
	it->reading = wait_is_possible(L);
	return pool_job_run_here(L, &l->job);
}

int fs_list_push(lua_State *L, struct files_list *list, struct buf *first, bool more)
{
	struct process *p = current_process(L);
	struct iterator *it;

	lua_pushcfunction(L, l_next);
	it = handle_new(L, list_type, sizeof(*it));
	it->names = *first;
	buf_init(first);
	it->more = more;
	it->shared = xcalloc(1, sizeof(*it->shared));
	it->shared->refs = 1;
	it->shared->list = list;
	if (p)
		resource_own(&p->resources, &it->resource, iterator_release);
	return 2;
}

void fs_list_register(lua_State *L)
{
	handle_register(L, list_type, NULL, iterator_gc);
}
