/*
 * kind_host.c - process.host and terminal.host: where processes run. actor/host.h says what the fields of `host:` mean.
 *
 * A changed process.host keeps its processes: the number of workers and the limits change in place, a change of anything else is refused.
 */
#include <stdlib.h>

#include "actor/host.h"
#include "service/kinds.h"
#include "service/runtime.h"
#include "service/supervisor.h"

enum { LIMIT_MAX = 1000000000 };

static void host_start(struct service *s)
{
	struct host *h = service_self(s);

	atomic_store(&h->state, HOST_RUNNING);
	service_started(s);
}

static void on_host_stopped(void *arg, struct host *h)
{
	struct runtime *rt = arg;
	struct service *s = supervisor_find_self(rt->supervisor, h->id, h);

	/* The entry may have gone, or been replaced, while its processes ended. */
	if (s)
		service_stopped(s);
}

static void host_stop(struct service *s)
{
	struct runtime *rt = service_runtime(s);

	scheduler_stop_host(rt->node.scheduler, service_self(s), rt->loop, on_host_stopped, rt);
}

static void host_free(void *self)
{
	host_unref(self);
}

static const struct service_ops host_ops = {.start = host_start, .stop = host_stop, .free = host_free};

/* What `host:` says; see actor/host.h. */
struct host_block {
	int64_t workers;
	int64_t queue_size;
	int64_t local_queue_size;
	int64_t max_processes;
	int64_t mailbox_size;
	int64_t cancel_deadline_ns;
};

static int read_count(const struct value *block, const char *key, const char *words, int64_t *ret, struct err *err)
{
	if (value_read_int(block, key, ret, err) < 0)
		return err_prefix(err, "host");
	if (*ret < 0)
		return err_set(err, ERR_INVALID, "invalid configuration: field 'host.%s': %s must be greater than 0",
			key, words);
	return 0;
}

static int read_limit(const struct value *block, const char *key, int64_t *ret, struct err *err)
{
	if (value_read_int(block, key, ret, err) < 0)
		return err_prefix(err, "host");
	if (*ret < 0 || *ret > LIMIT_MAX)
		return err_set(err, ERR_INVALID, "field 'host.%s' must be between 0 and %d; 0 means any number", key,
			LIMIT_MAX);
	return 0;
}

static int read_block(const struct entry *e, struct host_block *ret, struct err *err)
{
	const struct value *block = value_get(e->data, "host");
	struct host_block b = {0};

	if (block && value_type(block) != VALUE_NIL && value_type(block) != VALUE_MAP)
		return err_set(err, ERR_INVALID, "field 'host': expected map, got %s", value_type_name(block));
	/* Queues grow as needed here: their sizes are only checked. */
	if (read_count(block, "workers", "workers", &b.workers, err) < 0 ||
		read_count(block, "queue_size", "queue size", &b.queue_size, err) < 0 ||
		read_count(block, "local_queue_size", "local queue size", &b.local_queue_size, err) < 0 ||
		read_limit(block, "max_processes", &b.max_processes, err) < 0 ||
		read_limit(block, "mailbox_size", &b.mailbox_size, err) < 0)
		return -1;
	if (value_read_duration(block, "cancel_deadline", &b.cancel_deadline_ns, err) < 0)
		return err_prefix(err, "host");
	if (b.cancel_deadline_ns < 0)
		return err_set(err, ERR_INVALID, "field 'host.cancel_deadline' must not be negative; 0 means none");
	*ret = b;
	return 0;
}

/* What may change while processes run. */
static void apply_block(struct runtime *rt, struct host *h, const struct host_block *b)
{
	unsigned workers = scheduler_nworkers(rt->node.scheduler);

	if (b->workers > 0 && b->workers < workers)
		workers = (unsigned)b->workers;
	atomic_store(&h->workers_max, workers);
	atomic_store(&h->processes_max, (unsigned)b->max_processes);
	atomic_store(&h->mailbox_max, (unsigned)b->mailbox_size);
	atomic_store(&h->cancel_deadline_ns, (uint64_t)b->cancel_deadline_ns);
}

static int add_host(struct runtime *rt, struct entry *e, enum host_type type, struct err *err)
{
	struct host *h = host_new(type, e->id);
	struct host_block block;
	struct service *s;

	if (type == HOST_PROCESS && read_block(e, &block, err) < 0)
		goto fail;
	if (type == HOST_PROCESS)
		apply_block(rt, h, &block);
	if (type == HOST_TERMINAL && value_read_bool(e->data, "hide_logs", &h->hide_logs, err) < 0)
		goto fail;
	/* The supervisor and the table of hosts have a reference each. In the table before it starts. */
	hosts_put(scheduler_hosts(rt->node.scheduler), host_ref(h));
	if (supervisor_add(rt->supervisor, e, &host_ops, h, &s, err) < 0) {
		hosts_remove(scheduler_hosts(rt->node.scheduler), e->id);
		goto fail;
	}
	h->stop_timeout_ms = service_stop_timeout_ms(s);
	return 0;
fail:
	host_unref(h);
	return -1;
}

/* Without stopping a process: limits count from now on. Anything else needs a new host. */
static int process_host_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	struct service *s = supervisor_find(rt->supervisor, e->id);
	struct host_block before = {0}, block;

	if (read_block(e, &block, err) < 0)
		return -1;
	if (!s)
		return add_host(rt, e, HOST_PROCESS, err);
	if (read_block(old, &before, NULL) < 0 || block.queue_size != before.queue_size ||
		block.local_queue_size != before.local_queue_size ||
		!value_equal(value_get(old->data, "lifecycle"), value_get(e->data, "lifecycle")))
		return err_set(err, ERR_INVALID,
			"host %s: only host.workers, max_processes, mailbox_size and cancel_deadline can change while "
			"it "
			"exists; to change its queue sizes or lifecycle, remove the entry and add it again",
			e->id);
	apply_block(rt, service_self(s), &block);
	return 0;
}

static int process_host_add(struct runtime *rt, struct entry *e, struct err *err)
{
	return add_host(rt, e, HOST_PROCESS, err);
}

static int terminal_host_add(struct runtime *rt, struct entry *e, struct err *err)
{
	return add_host(rt, e, HOST_TERMINAL, err);
}

static void host_remove(struct runtime *rt, struct entry *e)
{
	supervisor_remove(rt->supervisor, e->id);
	hosts_remove(scheduler_hosts(rt->node.scheduler), e->id);
}

const struct kind process_host_kind = {
	.name = "process.host",
	.summary = "workers that processes run on",
	.add = process_host_add,
	.update = process_host_update,
	.remove = host_remove,
};

const struct kind terminal_host_kind = {
	.name = "terminal.host",
	.summary = "where the commands of `wippy run` run",
	.add = terminal_host_add,
	.remove = host_remove,
};
