#include "service/http_host.h"

enum {
	BUFFER_SIZE = 1024,
	NUMBER_MAX = 1000000000,
	/* Clients that answer a close frame do so at once; requests in progress need the rest of the time. */
	STOP_MS_MAX = 2000,
};

int http_host_read(const struct value *block, unsigned *ret_buffer_size, struct err *e)
{
	int64_t buffer = 0, workers = 0;

	if (value_read_int(block, "buffer_size", &buffer, e) < 0 ||
		value_read_int(block, "worker_count", &workers, e) < 0)
		return err_prefix(e, "failed to unmarshal config");
	if (buffer < 0)
		return err_set(e, ERR_INVALID, "buffer size must be non-negative");
	if (workers < 0)
		return err_set(e, ERR_INVALID, "worker count must be non-negative");
	if (buffer > NUMBER_MAX || workers > NUMBER_MAX)
		return err_set(e, ERR_INVALID, "fields 'host.buffer_size' and 'host.worker_count' may not exceed %d",
			NUMBER_MAX);
	*ret_buffer_size = buffer > 0 ? (unsigned)buffer : BUFFER_SIZE;
	return 0;
}

static void put(struct app_server *as, enum host_state state)
{
	struct scheduler *sched = as->rt->node.scheduler;
	struct host *h = host_new(HOST_NATIVE, as->id);

	atomic_store(&h->workers_max, scheduler_nworkers(sched));
	atomic_store(&h->mailbox_max, as->buffer_size);
	atomic_store(&h->state, state);
	host_unref(as->owner.host);
	as->owner.host = host_ref(h);
	hosts_put(scheduler_hosts(sched), h);
}

void http_host_announce(struct app_server *as)
{
	struct program_spec source = {.type = PROGRAM_PROCESS, .id = as->id};

	as->owner.connections = program_new(as->rt->node.scheduler, &source);
	put(as, HOST_STOPPED);
}

void http_host_forget(struct app_server *as)
{
	hosts_remove(scheduler_hosts(as->rt->node.scheduler), as->id);
}

void http_host_start(struct app_server *as)
{
	put(as, HOST_RUNNING);
}

void http_host_stop(struct app_server *as, uint64_t timeout_ms, host_stopped_fn *done)
{
	struct host *h = as->owner.host;

	h->stop_timeout_ms = timeout_ms / 2 < STOP_MS_MAX ? timeout_ms / 2 : STOP_MS_MAX;
	scheduler_stop_host(as->rt->node.scheduler, h, as->rt->loop, done, as);
}
