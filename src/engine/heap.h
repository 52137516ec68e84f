/*
 * heap.h - one lua_State owned by one worker, holding many instances.
 *
 * A heap holds a bounded number of instances: Lua scans every thread in the atomic step of a collection, so an unbounded heap would pause.
 * Its memory is capped: an allocation over the cap fails in the task that asked for it, after an emergency collection. Owner thread only, except heap_interrupt().
 */
#ifndef ENGINE_HEAP_H
#define ENGINE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/code.h"
#include "engine/module.h"

struct heap;
struct instance;

struct heap_config {
	const struct module_list *modules;
	size_t memory_max;      /* bytes; 0 = no cap */
	unsigned instances_max; /* 4096 */
	void *owner;            /* heap_owner(): the worker, for bindings */
	/* Asked while code runs that cannot yield, a chunk or a callback: must it end now? It may task_fail() the task. NULL: never. */
	bool (*must_end)(void *owner);
};

/* ERR_INTERNAL when Lua cannot be set up. */
int heap_new(const struct heap_config *cfg, struct heap **ret_heap, struct err *e);
/* No instance may be left. NULL is fine. */
void heap_free(struct heap *h);
bool heap_is_full(const struct heap *h);
unsigned heap_instances(const struct heap *h);
size_t heap_bytes(const struct heap *h);
void *heap_owner(const struct heap *h);
/* Is there enough garbage, by the look of its growth since the last complete cycle, to be worth an idle worker's time? */
bool heap_wants_collecting(struct heap *h);
/* After much was collected: let malloc return what it keeps of it to the system. Not cheap then; does nothing otherwise. */
void heap_give_back(struct heap *h);
/* A small bounded step of collection; true when a cycle is complete. For idle moments. */
bool heap_collect_step(struct heap *h);
void heap_collect_all(struct heap *h);

/* Async-signal-safe, on the heap's own thread (the watchdog's signal lands there): make the running task yield at its next instruction. No task running: no effect. */
void heap_interrupt(struct heap *h);

/* -- instances: globals of their own plus the loaded chunk ------------------------------------------ */

/* Compile what is needed, make a global table, run the chunks of all imports and of the entry, synchronously; what it exports is kept.
 * Errors: "failed to load dependency <alias>: …", "failed to execute script: …" (INTERNAL), `method "m" not found in module` (NOT_FOUND);
 * a chunk that blocks or runs longer than `deadline_ns` (loop_clock_ns() time, 0 = none) fails. */
int instance_new(
	struct heap *h, struct code *code, uint64_t deadline_ns, struct instance **ret_instance, struct err *e);
/* Its task has begun and there will be no other: let go of what the chunk returned. */
void instance_drop_export(struct instance *in);
/* No task may be running on it. NULL is fine. */
void instance_free(struct instance *in);
struct heap *instance_heap(const struct instance *in);

#endif
