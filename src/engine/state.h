/*
 * state.h - what the files of this room share: the insides of heaps, code, instances and coroutines.
 *
 * Not for other rooms: they use heap.h, task.h, wait.h, channel.h and lua_api.h.
 */
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H

#include <lauxlib.h>
#include <lua.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/refcount.h"
#include "engine/code.h"
#include "engine/failure.h"
#include "engine/heap.h"
#include "engine/lua_api.h"
#include "engine/pool.h"
#include "engine/task.h"
#include "engine/wait.h"

/* -- code ---------------------------------------------------------------------------------------------- */

/* One library of the closure. Level 1 is what the entry itself imports; deeper ones run first. */
struct code_dependency {
	char *alias;
	struct code *library;
	unsigned level;
};

/* A global that keeps its value for as long as a program runs, if the heap has one of that name at the beginning; see compile.c. */
struct code_constant {
	char *name;
	bool is_only_indexed; /* its fields are read, and nothing else done with it */
	bool is_indexed, is_called;
};

/* See steady.c. */
enum code_outcome { OUTCOME_UNKNOWN, OUTCOME_STEADY, OUTCOME_MAY_DIFFER };

struct code {
	struct refcount refs;
	atomic_int outcome; /* enum code_outcome, of its chunks */
	uint64_t serial;
	bool names_globals; /* its text or that of a library mentions _G */
	bool opens_globals; /* ... or may get hold of the table of globals in another way */
	char *id;
	char *method; /* NULL for libraries */
	char *text;   /* translated */
	size_t text_len;
	const struct module **modules; /* of the whole closure, each once */
	size_t nmodules;
	struct code_dependency *dependencies; /* in the order they run */
	size_t ndependencies;
	char **assigned; /* globals that its own text assigns to */
	size_t nassigned;
	struct code_constant *constants;
	size_t nconstants;
};

/* -- heap ---------------------------------------------------------------------------------------------- */

/* Why the Lua thread that just stopped did so. */
enum stop {
	STOP_NONE,
	STOP_YIELD,      /* coroutine.yield() in a coroutine a program made: its resume returns */
	STOP_WAIT,       /* wait_for(): the whole nest is suspended until the pending is ready */
	STOP_RESCHEDULE, /* coroutine.yield() in a managed coroutine: to the back of the queue */
	STOP_QUEUED,     /* coroutine.spawn(): already in the ready queue, behind the new one */
	STOP_INTERRUPT,  /* heap_interrupt() */
	STOP_TURN,       /* end_turn(): other processes have their turn, then the same coroutine goes on */
};

/* What a Lua thread is, kept in the low bits of its extra space, whose rest is the heap's address. */
enum thread_flag {
	THREAD_MANAGED = 1, /* belongs to a struct coroutine */
	THREAD_BLOCKED = 2, /* a program's coroutine, suspended from within by a wait */
	THREAD_EXPOSED = 4, /* managed, and a program has seen it: never used again */
	THREAD_FLAGS = 7,
};

/* The compiled form of one code object in one heap. */
struct loaded {
	struct loaded *next;
	struct code *code;
	int factory; /* registry references; LUA_NOREF when not made yet */
	int meta;    /* metatable of the global tables */
	unsigned ninstances;
};

/* The two metatables of a handle type that is made often. */
struct handle_kind {
	const char *type;
	const void *owning, *plain; /* addresses: Lua does not move tables, and the references keep these */
	int owning_ref, plain_ref;
};

enum { LOADED_BUCKETS = 64, IDLE_COROUTINES_MAX = 256 };

struct heap {
	lua_State *L;
	const struct module_list *modules;
	void *owner;
	bool (*must_end)(void *owner);
	unsigned instances;
	unsigned instances_max;

	struct pool pool;
	size_t used;
	size_t used_max;     /* the cap, 0 = none */
	size_t used_high;    /* since memory was last given back */
	size_t used_idle;    /* after the last cycle that was made in idle moments */
	size_t used_settled; /* after the last full collection because of pressure */
	bool enforce;        /* programs obey the cap, the runtime does not */
	bool over_cap;       /* an allocation was refused since the running coroutine started */

	/* The innermost running Lua thread; a signal handler reads it. */
	lua_State *volatile running;
	struct coroutine *current; /* the managed coroutine it belongs to, NULL at chunk level */
	bool can_wait;             /* every thread of the nest below `running` can yield */
	unsigned nsupplied;        /* values received without a suspension since the coroutine was resumed */
	unsigned nhanded;          /* end_turn() was called so often since then */
	enum stop stop;
	uint64_t chunk_deadline_ns; /* while chunks run; 0 = none */
	uint64_t held_since_ns;     /* code that cannot yield was first found then ... */
	uint64_t held_seen_ns;      /* ... and last */
	const struct code *loading; /* the entry whose chunks run */
	bool strange_call;          /* see steady.c */
	int loading_globals;        /* registry reference */

	struct loaded *loaded[LOADED_BUCKETS];
	unsigned nloaded;
	struct list idle; /* coroutines whose thread can be used again */
	unsigned nidle;
	struct channel_wait *spare_wait; /* of one case; NULL = none */
	const struct channel *last_held; /* a held channel that a program used last; NULL = none */

	/* Registry indices that anchor nothing now, see anchor_put(). */
	int *anchors;
	unsigned nanchors, anchors_cap;

	/* Registry references. */
	int base_globals;  /* table: what every program sees */
	int module_values; /* table: module address -> value */
	int channels;      /* weak table: channel address -> userdata */
	int channel_meta, case_meta;
	/* Their addresses. */
	const void *channel_meta_at, *case_meta_at;
	struct handle_kind kinds[HANDLE_KINDS];
};

struct instance {
	struct heap *heap;
	struct loaded *loaded;
	int globals; /* registry references */
	int export;
};

/* The heap of a Lua thread. */
static inline struct heap *thread_heap(lua_State *L)
{
	return (struct heap *)(*(uintptr_t *)lua_getextraspace(L) & ~(uintptr_t)THREAD_FLAGS);
}

static inline unsigned thread_flags(lua_State *L)
{
	return (unsigned)(*(uintptr_t *)lua_getextraspace(L) & THREAD_FLAGS);
}

static inline void thread_set_flags(lua_State *L, unsigned flags)
{
	uintptr_t *p = lua_getextraspace(L);

	*p = (*p & ~(uintptr_t)THREAD_FLAGS) | flags;
}

/* Memory counted as the heap's, never refused. */
void *heap_alloc(struct heap *h, size_t bytes);
void heap_dealloc(struct heap *h, void *p, size_t bytes);
/* Pop the value on top of L and keep it alive under a registry index. What luaL_ref() does, without the search for a free index: thousands of
 * instances come and go. LUA_NOREF, where nil is found, for nil. May raise when memory is out. */
int anchor_put(lua_State *L);
/* LUA_NOREF is fine. */
void anchor_drop(struct heap *h, int index);
/* Set how much garbage may gather; again whenever the size has changed much. */
void heap_tune(struct heap *h);
/* "memory limit of N MiB reached", kind Internal. The caller's reference. */
struct failure *heap_memory_failure(const struct heap *h);
/* Leaves the factory of the code on the heap's stack; ERR_INVALID when Lua refuses its text. */
int compile_factory(struct heap *h, const struct code *code, struct err *e);
/* The compiled form, made on first use; NULL with `e`. */
struct loaded *heap_load(struct heap *h, struct code *code, struct err *e);
/* Push a module's value, made on first use. */
void heap_push_module(struct heap *h, lua_State *L, const struct module *m);

/* Push the global table of the running instance, or the one being made; nil when there is none. */
void instance_push_globals(lua_State *L);
/* Has the table at idx the metatable of an untouched global table? Then it shows names it does not hold itself. */
bool globals_are_lazy(lua_State *L, int idx);
/* Copy those names into the table, and take the metatable away. */
void globals_settle(lua_State *L, int idx);

/* -- coroutines ---------------------------------------------------------------------------------------- */

struct coroutine {
	struct list ready; /* in task.ready; for idle ones in heap.idle */
	struct list all;   /* in task.coroutines */
	lua_State *L;
	struct task *task;
	struct pending *pending; /* what it waits for, until `finish` runs */
	int anchor;              /* registry reference of L */
	bool outside;            /* the wait is counted in task.nwaits */
	bool started;
};

struct coroutine *coroutine_new(struct task *t);
/* The wait must be over. The thread is kept for another one if it ended cleanly. */
void coroutine_free(struct coroutine *co);
/* Queue it; wakes a resting task. */
void coroutine_make_ready(struct coroutine *co);
/* Run until it stops; the status of lua_resume(). */
int coroutine_step(struct coroutine *co, enum stop *ret_stop, int *ret_nresults);

/* Let the owner run a resting task again. */
void task_wake(struct task *t);
/* Must the running task end now? Then no pcall may catch. */
bool task_is_doomed(lua_State *L);
/* Is the error on top of L, which came with `status`, that of the memory cap? */
bool task_is_memory_error(lua_State *L, int status);
/* After a protected call failed: was it memory? Then the task is doomed. */
void task_note_error(lua_State *L, int status);

/* Arm the hook that stops `L`; what heap_interrupt() does. Async-signal-safe. */
void preempt_arm(lua_State *L);
/* While chunks run for the first time: note what they call, and watch the deadline; preempt_watch_deadline() with `on` false ends it. */
void steady_watch(lua_State *L);
void steady_note(struct heap *h, struct code *c, bool succeeded);
/* Instructions between two looks at the deadline. */
enum { DEADLINE_INSTRUCTIONS = 2000 };
void preempt_check_deadline(lua_State *L);
/* While chunks run: the hook that watches the deadline. */
void preempt_watch_deadline(lua_State *L, bool on);

/* Is `p` a wait on channels only? Such a wait alone cannot end by itself. */
bool channel_is_wait(const struct pending *p);
void channel_release_all(struct task *t);
/* The heap goes away. */
void channel_drop_spare(struct heap *h);

/* -- libraries ----------------------------------------------------------------------------------------- */

int lib_base_open(lua_State *L);        /* pushes a table of globals */
bool lib_base_is_pure(lua_CFunction f); /* depends on its arguments and the program's own tables alone */
int lib_protect_open(lua_State *L);     /* pushes pcall and xpcall */
int lib_coroutine_open(lua_State *L);
int lib_table_open(lua_State *L);
int lib_string_open(lua_State *L);
int lib_math_open(lua_State *L);
int lib_os_open(lua_State *L);
int lib_errors_open(lua_State *L);
/* Metatables that C code pushes values of: made before anything else. */
void lua_error_init(lua_State *L);
void channel_init(lua_State *L);
void lib_string_init(lua_State *L);

int lib_string_format(lua_State *L);
int lib_table_unpack(lua_State *L);

/* Push an error object without a failure yet: made first, so that nothing is lost when memory is out. Fill it at once. */
struct failure **push_failure_slot(lua_State *L);

/* The frames of L from `level` outwards, a line each: "entry:12 (name)". malloc'd, NULL when there are none. */
char *stack_text(lua_State *L, int level);

/* The front end's `as` (see front.h). */
int text_as(lua_State *L);

#endif
