#include "engine/task.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "engine/lua_api.h"
#include "engine/state.h"

enum {
	WAIT_PLACES_MAX = 8, /* named in a deadlock's message */
	PRESSURE_NUM = 7,    /* collect everything when memory is over 7/8 of the cap ... */
	PRESSURE_DEN = 8,
	PRESSURE_GROWTH_DEN = 16, /* ... and has grown by 1/16 of the cap since the last time */
};

struct task *task_current(lua_State *L)
{
	struct coroutine *co = thread_heap(L)->current;

	return co ? co->task : NULL;
}

bool task_is_doomed(lua_State *L)
{
	struct task *t = task_current(L);

	return t && t->killed;
}

bool task_is_memory_error(lua_State *L, int status)
{
	if (status == LUA_ERRMEM)
		return true;
	/* The auxiliary library's buffers ask the allocator themselves and raise this as a plain string. */
	return thread_heap(L)->over_cap && lua_type(L, -1) == LUA_TSTRING &&
	       strstr(lua_tostring(L, -1), "not enough memory");
}

void task_note_error(lua_State *L, int status)
{
	struct task *t = task_current(L);
	struct failure *f;

	if (!t || t->killed || !task_is_memory_error(L, status))
		return;
	f = heap_memory_failure(thread_heap(L));
	task_fail(t, f);
	failure_unref(f);
}

/* -- starting ------------------------------------------------------------------------------------------ */

static int push_method(lua_State *L, struct instance *in, const char *method, struct err *e)
{
	if (!method)
		method = in->loaded->code->method;
	lua_rawgeti(L, LUA_REGISTRYINDEX, in->export);
	if (lua_isfunction(L, -1))
		return 0;
	if (method && lua_istable(L, -1)) {
		lua_pushstring(L, method);
		lua_rawget(L, -2);
		lua_remove(L, -2);
		if (lua_isfunction(L, -1))
			return 0;
	}
	lua_pop(L, 1);
	return err_set(e, ERR_NOT_FOUND, "method \"%s\" not found in module", method ? method : "");
}

int task_init(struct task *t, const struct task_ops *ops, struct instance *in, const char *method,
	const struct packed *args, struct err *e)
{
	struct coroutine *co;
	bool enforce = in->heap->enforce;

	t->ops = ops;
	t->instance = in;
	list_init(&t->ready);
	list_init(&t->coroutines);
	list_init(&t->feeds);
	in->heap->enforce = false; /* starting is the runtime's work */
	co = coroutine_new(t);
	if (!lua_checkstack(co->L, (int)packed_count(args) + LUA_MINSTACK)) {
		err_set(e, ERR_INVALID, "too many arguments for method \"%s\"", method ? method : "");
		goto fail;
	}
	if (push_method(co->L, in, method, e) < 0)
		goto fail;
	packed_push(co->L, args);
	in->heap->enforce = enforce;
	t->main = co;
	list_push_back(&t->ready, &co->ready);
	return 0;
fail:
	coroutine_free(co);
	in->heap->enforce = enforce;
	t->ended = true;
	return -1;
}

/* -- ending -------------------------------------------------------------------------------------------- */

static void drop_coroutine(struct coroutine *co)
{
	struct pending *p = co->pending;

	if (co->outside) {
		co->outside = false;
		co->task->nwaits--;
	}
	co->pending = NULL;
	if (p) {
		p->waiter = NULL;
		p->cancel(p);
	}
	coroutine_free(co);
}

static void drop_coroutines(struct task *t)
{
	t->ended = true;
	while (!list_is_empty(&t->coroutines)) {
		t->ncoroutines--;
		drop_coroutine(list_entry(t->coroutines.next, struct coroutine, all));
	}
	if (t->main)
		drop_coroutine(t->main);
	t->main = NULL;
}

void task_fail(struct task *t, struct failure *f)
{
	struct heap *h = t->instance->heap;

	if (t->ended || t->killed)
		return;
	t->killed = true;
	t->failure = failure_ref(f);
	if (h->current && h->current->task == t && h->running)
		preempt_arm(h->running);
	if (t->running || t->woken)
		return;
	t->woken = true;
	t->ops->wake(t);
}

void task_leave(struct task *t)
{
	struct heap *h = t->instance->heap;

	if (t->ended || t->killed)
		return;
	t->killed = true;
	t->left = true;
	if (h->running)
		preempt_arm(h->running);
}

void task_done(struct task *t)
{
	if (!t->instance)
		return;
	assert(!t->running);
	drop_coroutines(t);
	/* Not before: until now, producers may release what they hold themselves. */
	channel_release_all(t);
	failure_unref(t->failure);
	t->failure = NULL;
	packed_unref(t->result);
	t->result = NULL;
}

struct packed *task_result(struct task *t)
{
	return t->result;
}

struct failure *task_failure(struct task *t)
{
	return t->failure;
}

static void fail_with(struct task *t, struct failure *f)
{
	if (t->killed) {
		failure_unref(f);
		return;
	}
	t->killed = true;
	t->failure = f;
}

/* The main coroutine returned `n` values: the first is the result, a second one that is text or an error object makes it a failure. */
static void take_result(struct task *t, lua_State *L, int n)
{
	struct err e = {0};
	const char *text;
	size_t len;
	int first = lua_gettop(L) - n + 1;

	if (n >= 2 && lua_type(L, first + 1) == LUA_TSTRING) {
		text = lua_tolstring(L, first + 1, &len);
		fail_with(t, failure_new("Internal", ERR_RETRY_NO, text, len, NULL, NULL, NULL));
		return;
	}
	if (n >= 2 && failure_at(L, first + 1)) {
		fail_with(t, failure_from_lua(L, first + 1));
		return;
	}
	if (packed_from_lua(L, first, n > 0 ? 1 : 0, &t->result, &e) < 0)
		fail_with(t, failure_from_err(&e));
}

/* An uncaught error: the value is on top, and the frames are still there since nothing unwound them. */
static void take_error(struct task *t, lua_State *L, int status)
{
	struct failure *f, *with_stack;
	char *stack;

	if (task_is_memory_error(L, status)) {
		fail_with(t, heap_memory_failure(t->instance->heap));
		return;
	}
	f = failure_from_lua(L, -1);
	if (!f->stack) {
		stack = stack_text(L, 0);
		with_stack = failure_new(f->kind, f->retry, f->message, f->message_len, value_ref(f->details), stack,
			f->cause ? failure_ref(f->cause) : NULL);
		free(stack);
		failure_unref(f);
		f = with_stack;
	}
	t->uncaught = !t->killed;
	fail_with(t, f);
}

/* -- deadlock ------------------------------------------------------------------------------------------ */

static void add_place(struct buf *b, struct coroutine *co, unsigned i)
{
	lua_Debug ar;

	for (int level = 0; lua_getstack(co->L, level, &ar); level++) {
		lua_getinfo(co->L, "Sl", &ar);
		if (ar.currentline <= 0)
			continue;
		buf_addf(b, "%s%s:%d", i == 0 ? "; waiting at " : ", ", ar.source + (ar.source[0] == '='),
			ar.currentline);
		return;
	}
}

static struct failure *deadlock(struct task *t)
{
	struct buf b = BUF_INIT;
	struct failure *f;
	unsigned i = 0;

	buf_addf(&b, "deadlock: all coroutines blocked with no pending operations (threads=%u)",
		(unsigned)t->ncoroutines + 1);
	add_place(&b, t->main, i++);
	list_for_each(l, &t->coroutines) {
		if (i >= WAIT_PLACES_MAX) {
			buf_adds(&b, ", ...");
			break;
		}
		add_place(&b, list_entry(l, struct coroutine, all), i++);
	}
	f = failure_new("Internal", ERR_RETRY_UNKNOWN, buf_str(&b), buf_len(&b), NULL, NULL, NULL);
	buf_done(&b);
	return f;
}

/* -- running ------------------------------------------------------------------------------------------- */

/* Run one coroutine until it stops. False when the task has ended. */
static bool run_one(struct task *t, struct coroutine *co, bool *ret_interrupted)
{
	enum stop stop;
	int n = 0;
	int status = coroutine_step(co, &stop, &n);

	if (t->killed)
		return false;
	if (status == LUA_YIELD) {
		lua_pop(co->L, n);
		if (stop == STOP_RESCHEDULE || stop == STOP_INTERRUPT)
			list_push_back(&t->ready, &co->ready);
		else if (stop == STOP_TURN)
			list_push_front(&t->ready, &co->ready);
		*ret_interrupted = stop == STOP_INTERRUPT || stop == STOP_TURN;
		return true;
	}
	if (status != LUA_OK) {
		take_error(t, co->L, status);
		return false;
	}
	if (co == t->main) {
		take_result(t, co->L, n);
		return false;
	}
	t->ncoroutines--;
	coroutine_free(co);
	return true;
}

static enum task_status status_of_ended(const struct task *t)
{
	return t->killed && !t->left ? TASK_FAILED : TASK_DONE;
}

static enum task_status end(struct task *t)
{
	t->running = false;
	drop_coroutines(t);
	return status_of_ended(t);
}

static enum task_status rest(struct task *t)
{
	bool stuck = t->nwaits == 0 && t->nfeeds == 0 && !(t->ops->may_be_woken && t->ops->may_be_woken(t));

	if (!stuck) {
		t->running = false;
		return TASK_WAITING;
	}
	fail_with(t, deadlock(t));
	return end(t);
}

static void relieve_pressure(struct heap *h)
{
	if (h->used_max == 0 || h->used < h->used_max / PRESSURE_DEN * PRESSURE_NUM)
		return;
	if (h->used < h->used_settled + h->used_max / PRESSURE_GROWTH_DEN && h->used >= h->used_settled)
		return;
	heap_collect_all(h);
}

enum task_status task_run(struct task *t, unsigned budget)
{
	struct heap *h = t->instance->heap;
	bool interrupted = false;
	struct list *l;

	assert(!t->running);
	t->woken = false;
	if (t->ended)
		return status_of_ended(t);
	t->running = true;
	relieve_pressure(h);
	for (;;) {
		if (t->killed)
			return end(t);
		if (t->ops->deliver)
			t->ops->deliver(t);
		if (t->killed)
			return end(t);
		if (list_is_empty(&t->ready))
			return rest(t);
		while (!list_is_empty(&t->ready)) {
			if (budget == 0 || interrupted) {
				t->running = false;
				return TASK_READY;
			}
			budget--;
			l = list_pop_front(&t->ready);
			if (!run_one(t, list_entry(l, struct coroutine, ready), &interrupted))
				return end(t);
		}
	}
}
