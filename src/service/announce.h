/*
 * announce.h - what the runtime says about itself on the event bus.
 *
 *     supervisor  service.register, service.remove   path: the service's id
 *     supervisor  service.update                     data: {status, desired, details?, retry_count, last_update, started_at?}; times in Unix nanoseconds
 *     registry    entry.create, entry.update, entry.delete, entry.accept, entry.reject
 *                                                    path: the entry's id; data: {id, kind, meta, data}, secrets left out; of a rejection {error}
 *     registry    registry.begin, registry.commit, registry.discard
 *     network     network.starting, network.ready, network.degraded, network.down
 *                                                    path: the overlay's id; data: {id, kind, reason?, address?, since}; since in Unix milliseconds
 *     network     network.listening              path: the overlay's id; data: {id, service, address}
 *     logs        logs.entry                         path: the component; data: {level, logger, message, time, fields}
 */
#ifndef SERVICE_ANNOUNCE_H
#define SERVICE_ANNOUNCE_H

#include <stdint.h>

#include "actor/bus.h"
#include "base/log.h"
#include "registry/registry.h"

struct service_report {
	const char *status;
	const char *desired;
	const char *details; /* NULL: none */
	int64_t retry_count;
	int64_t started_at_ns; /* 0: it does not run */
};

/* Unix time, as the events give it. */
int64_t announce_now_ns(void);

/* Without a bus nothing happens. */
void announce_service_registered(struct bus *b, const char *id);
void announce_service_removed(struct bus *b, const char *id);
void announce_service(struct bus *b, const char *id, const struct service_report *r);

struct overlay_status;
/* Any thread, also one that holds a lock. */
void announce_network(struct bus *b, const char *id, const char *kind, const struct overlay_status *st);

/* A service is reached through that overlay, at `address`. */
void announce_listening(struct bus *b, const char *id, const char *service, const char *address);

/* Of a change; `arg` of the watcher is the bus. */
void announce_registry(struct bus *b, enum registry_event ev, const struct change *c, const struct err *e);

/* A log_sink_fn whose `arg` is the bus. Any thread, also one that holds a lock. */
void announce_log(void *bus, const struct log_record *r);

#endif
