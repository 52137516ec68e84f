/*
 * kind_host.c - process.host and terminal.host: where processes run.
 */
#include <stdlib.h>

#include "actor/host.h"
#include "service/kinds.h"
#include "service/runtime.h"
#include "service/supervisor.h"

static void host_start(struct service *s)
{
	struct host *h = service_self(s);

	atomic_store(&h->state, HOST_RUNNING);
	service_started(s);
}

static void on_host_stopped(void *arg, struct host *h)
{
	struct runtime *rt = arg;
	struct service *s = supervisor_find(rt->supervisor, h->id);

	/* The entry may have gone, or been replaced, while its processes ended. */
	if (s && service_self(s) == h)
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

static int read_count(const struct value *block, const char *key, const char *words, int64_t *ret, struct err *err)
{
	if (value_read_int(block, key, ret, err) < 0)
		return err_prefix(err, "host");
	if (*ret < 0)
		return err_set(err, ERR_INVALID, "invalid configuration: field 'host.%s': %s must be greater than 0",
			key, words);
	return 0;
}

static int read_process_host(struct runtime *rt, struct host *h, const struct entry *e, struct err *err)
{
	const struct value *block = value_get(e->data, "host");
	int64_t workers = 0, queue = 0, local_queue = 0;

	if (block && value_type(block) != VALUE_MAP)
		return err_set(err, ERR_INVALID, "field 'host': expected map, got %s", value_type_name(block));
	/* Queues grow as needed here: their sizes are only checked. */
	if (block && (read_count(block, "workers", "workers", &workers, err) < 0 ||
			     read_count(block, "queue_size", "queue size", &queue, err) < 0 ||
			     read_count(block, "local_queue_size", "local queue size", &local_queue, err) < 0))
		return -1;
	h->workers_max = scheduler_nworkers(rt->node.scheduler);
	if (workers > 0 && workers < h->workers_max)
		h->workers_max = (unsigned)workers;
	return 0;
}

static int add_host(struct runtime *rt, struct entry *e, enum host_type type, struct err *err)
{
	struct host *h = host_new(type, e->id);
	struct service *s;

	if (type == HOST_PROCESS && read_process_host(rt, h, e, err) < 0)
		goto fail;
	if (type == HOST_TERMINAL && value_read_bool(e->data, "hide_logs", &h->hide_logs, err) < 0)
		goto fail;
	/* The supervisor and the table of hosts have a reference each. */
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
	.add = process_host_add,
	.remove = host_remove,
};

const struct kind terminal_host_kind = {
	.name = "terminal.host",
	.add = terminal_host_add,
	.remove = host_remove,
};
