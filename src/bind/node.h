/*
 * node.h - the running program as bindings see it: one of each, handed to the scheduler as its owner.
 *
 * Filled by service/runtime.c before the workers start; the pointers do not change while they run.
 */
#ifndef BIND_NODE_H
#define BIND_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "actor/scheduler.h"
#include "http/client.h"
#include "overlay/overlay.h"
#include "registry/env.h"
#include "registry/instances.h"
#include "registry/registry.h"

struct bus;
struct change_request;
struct groups;
struct metrics;
struct policy_set;
struct service_table;

struct node {
	struct registry *registry;
	struct overlay_set *overlays;
	struct env *env;             /* variables of the application */
	struct instances *instances; /* live objects by entry id */
	struct scheduler *scheduler;
	struct bus *bus;                /* of events */
	struct groups *groups;          /* scopes of process groups */
	struct policy_set *policies;    /* live policies and their groups */
	struct metrics *metrics;        /* what programs count */
	struct service_table *services; /* what the supervisor says about each service */
	const char *default_network;    /* network_service.default_network, NULL = none */
	bool strict_mode;               /* security.strict_mode */
	struct http_client_config http; /* of each worker's client */
	uint64_t started_ns;            /* loop_clock_ns() */
	void *runtime;                  /* struct runtime, for modules of service/ */
	/* Have the main thread change the registry; any thread, see change_request.h. NULL in tests without a runtime. */
	void (*change)(struct node *n, struct change_request *r);
	/* Begin to stop the whole program with that exit code; any thread. NULL in tests without a runtime. */
	void (*request_stop)(struct node *n, int exit_code);
};

#endif
