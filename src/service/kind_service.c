/*
 * kind_service.c - process.service: a process that is kept running.
 *
 * A run is one life of the process. Its end arrives from the worker; by then the service may have been removed, or may have given the run up, so
 * a run knows its service only as long as that waits for it.
 */
#include <stdlib.h>
#include <string.h>

#include "actor/crash.h"
#include "actor/process.h"
#include "base/alloc.h"
#include "base/log.h"
#include "bind/current.h"
#include "engine/packed.h"
#include "service/kinds.h"
#include "service/runtime.h"
#include "service/supervisor.h"

struct process_service {
	char *process;
	char *host;
	struct packed *input;
	struct run *run; /* NULL: none */
};

struct run {
	struct runtime *rt;
	struct service *service; /* NULL: nobody waits for it any more */
	char *service_id;
	char *entry;
	char *actor;    /* its id; NULL = none */
	struct pid pid; /* number 0: not spawned yet */
	bool cancel;    /* as soon as there is a pid */
	struct failure *failure;
	struct loop_post post;
};

static void run_free(struct run *r)
{
	failure_unref(r->failure);
	free(r->service_id);
	free(r->entry);
	free(r->actor);
	free(r);
}

/* The service waits for the run no more. */
static struct service *run_detach(struct run *r)
{
	struct service *s = r->service;

	if (s)
		((struct process_service *)service_self(s))->run = NULL;
	r->service = NULL;
	return s;
}

static void run_cancel(struct run *r)
{
	static const char reason[] = "service stopping";

	r->cancel = true;
	/* One that just ended reports so by itself. */
	if (r->pid.number != 0)
		process_cancel(r->rt->node.scheduler, pid_system, r->pid, reason, strlen(reason), NULL);
}

/* -- a run ------------------------------------------------------------------------------------------- */

static void on_over(struct loop_post *post)
{
	struct run *r = container_of(post, struct run, post);
	struct service *s = run_detach(r);
	struct err e;

	if (r->failure)
		crash_log(r->cancel ? LOG_WARN : LOG_ERROR, &(struct crash){.entry = r->entry,
								    .pid = r->pid,
								    .actor = r->actor,
								    .starter = r->service_id,
								    .failure = r->failure});
	if (s && service_state(s) == SERVICE_STOPPING) {
		service_stopped(s);
	} else if (s && service_state(s) == SERVICE_RUNNING) {
		if (r->failure) {
			failure_to_err(r->failure, &e);
			service_failed(s, &e);
		} else {
			log_info("supervisor", "service exited", LOG_STR("service", r->service_id));
			service_exited(s);
		}
	}
	run_free(r);
}

/* On the worker of the process. */
static void on_ended(void *arg, const struct process_end *end)
{
	struct run *r = arg;

	r->failure = failure_keep(end->failure);
	r->post.run = on_over;
	loop_post(r->rt->loop, &r->post);
}

/* Nothing that can be mended by trying again: an entry or a host that is not there, a chunk that fails. A host that is full has room later. */
static void fail_start(struct service *s, struct err *e)
{
	err_prefix(e, "start process");
	if (e->kind != ERR_RATE_LIMITED)
		e->retry = ERR_RETRY_NO;
	service_failed(s, e);
}

static void on_spawned(struct spawn *sp)
{
	struct run *r = sp->ended_arg;
	struct service *s = r->service;

	if (sp->failed) {
		run_detach(r);
		if (s && service_state(s) == SERVICE_STOPPING)
			service_stopped(s);
		else if (s)
			fail_start(s, &sp->err);
		run_free(r);
		spawn_free(sp);
		return;
	}
	r->pid = sp->pid;
	spawn_free(sp);
	if (r->cancel)
		run_cancel(r);
	else
		service_started(s);
}

/* -- the service ------------------------------------------------------------------------------------- */

static int prepare(struct runtime *rt, struct service *s, struct spawn *sp, struct err *e)
{
	const struct process_service *ps = service_self(s);
	struct frame_edge edge = {.actor = service_actor(s), .scope = service_scope(s)};

	sp->host = hosts_get(scheduler_hosts(rt->node.scheduler), ps->host);
	if (!sp->host)
		return err_set(e, ERR_NOT_FOUND, "host not found: %s", ps->host);
	sp->program = programs_get(scheduler_programs(rt->node.scheduler), ps->process);
	if (!sp->program || sp->program->type != PROGRAM_PROCESS)
		return err_set(e, ERR_NOT_FOUND, "factory not found: %s is no process entry", ps->process);
	edge.entry_network = sp->program->network;
	sp->args = packed_ref(ps->input);
	return edge_frame(&rt->node, NULL, &edge, &sp->frame, e);
}

static void service_start(struct service *s)
{
	struct runtime *rt = service_runtime(s);
	struct process_service *ps = service_self(s);
	struct spawn *sp = spawn_new();
	struct run *r;
	struct err e;

	if (prepare(rt, s, sp, &e) < 0) {
		spawn_free(sp);
		fail_start(s, &e);
		return;
	}
	r = xcalloc(1, sizeof(*r));
	r->rt = rt;
	r->service = s;
	r->service_id = xstrdup(service_id(s));
	r->entry = xstrdup(ps->process);
	r->actor = service_actor(s) ? xstrdup(identity_id(service_actor(s))) : NULL;
	/* A process that did not stop in time still runs: its end is no longer that of the service. */
	if (ps->run)
		run_detach(ps->run);
	ps->run = r;
	sp->ended = on_ended;
	sp->ended_arg = r;
	sp->done = on_spawned;
	sp->reply_loop = rt->loop;
	spawn_start(spawn_place(rt->node.scheduler, NULL, sp), sp);
}

static void service_stop(struct service *s)
{
	struct process_service *ps = service_self(s);

	if (ps->run)
		run_cancel(ps->run);
	else
		service_stopped(s);
}

/* What takes too long to start is told to stop should it come to life after all. */
static void service_abandon(struct service *s)
{
	struct process_service *ps = service_self(s);
	struct run *r = ps->run;

	if (!r)
		return;
	run_detach(r);
	run_cancel(r);
}

static void fields_free(struct process_service *ps)
{
	free(ps->process);
	free(ps->host);
	packed_unref(ps->input);
}

static void service_self_free(void *self)
{
	struct process_service *ps = self;

	if (ps->run)
		ps->run->service = NULL;
	fields_free(ps);
	free(ps);
}

static const struct service_ops ops = {
	.start = service_start,
	.stop = service_stop,
	.free = service_self_free,
	.abandon = service_abandon,
	.stop_is_unbounded = true,
};

/* -- the entry --------------------------------------------------------------------------------------- */

/* Each item becomes an argument of the method. */
static int read_input(struct process_service *ps, const struct entry *e, struct err *err)
{
	const struct value *list = value_get(e->data, "input");
	struct packed **parts;
	size_t n = value_count(list);

	if (!list || value_type(list) == VALUE_NIL)
		return 0;
	if (value_type(list) != VALUE_LIST)
		return err_set(err, ERR_INVALID, "field 'input': expected list, got %s", value_type_name(list));
	parts = xcalloc(n + 1, sizeof(*parts));
	for (size_t i = 0; i < n; i++)
		parts[i] = packed_from_value(value_at(list, i));
	ps->input = packed_concat(parts, (unsigned)n);
	for (size_t i = 0; i < n; i++)
		packed_unref(parts[i]);
	free(parts);
	return 0;
}

static int read_fields(struct process_service *ps, const struct entry *e, struct err *err)
{
	const char *process = "", *host = "", *colon;

	if (value_read_string(e->data, "process", &process, err) < 0 ||
		value_read_string(e->data, "host", &host, err) < 0)
		return -1;
	if (!*process)
		return err_set(err, ERR_INVALID, "process is required");
	if (!*host)
		return err_set(err, ERR_INVALID, "host is required");
	colon = strchr(host, ':');
	if (!colon || colon == host || !colon[1] || strcmp(host, "node:control") == 0)
		return err_set(err, ERR_INVALID, "invalid host: %.200s", host);
	ps->process = entry_id_resolve(process, e->ns);
	ps->host = xstrdup(host);
	return read_input(ps, e, err);
}

static int service_add(struct runtime *rt, struct entry *e, struct err *err)
{
	struct process_service *ps = xcalloc(1, sizeof(*ps));

	if (read_fields(ps, e, err) < 0)
		goto fail;
	if (supervisor_add_needing(rt->supervisor, e, ps->host, &ops, ps, NULL, err) < 0)
		goto fail;
	return 0;
fail:
	service_self_free(ps);
	return -1;
}

/* The next run is made as the new entry says; the one that runs goes on. */
static int service_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	struct service *s = supervisor_find(rt->supervisor, e->id);
	struct process_service fresh = {0};
	struct process_service *ps = s ? service_self(s) : NULL;

	(void)old;
	if (!ps)
		return service_add(rt, e, err);
	if (read_fields(&fresh, e, err) < 0 || supervisor_update_security(rt->supervisor, e, err) < 0 ||
		supervisor_update_lifecycle(rt->supervisor, e, fresh.host, err) < 0) {
		fields_free(&fresh);
		return -1;
	}
	fresh.run = ps->run;
	fields_free(ps);
	*ps = fresh;
	return 0;
}

static void service_remove(struct runtime *rt, struct entry *e)
{
	supervisor_remove(rt->supervisor, e->id);
}

const struct kind process_service_kind = {
	.name = "process.service",
	.summary = "a process that is kept running",
	.add = service_add,
	.update = service_update,
	.remove = service_remove,
};
