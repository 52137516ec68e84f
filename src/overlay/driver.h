/*
 * driver.h - what a driver provides; seen by overlay/ and the list of drivers in app/ only.
 *
 * A driver embeds `struct overlay` first in its own struct and `struct dial` first in its own dial. Drivers are strangers to each other.
 */
#ifndef OVERLAY_DRIVER_H
#define OVERLAY_DRIVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/backoff.h"
#include "base/list.h"
#include "base/refcount.h"
#include "base/secret.h"
#include "overlay/overlay.h"

enum { ISOLATION_NAME_MAX = 64 };

/* Who may share an identity (Tor: a circuit) and a kept-alive connection. */
enum isolation {
	ISOLATION_NONE,
	ISOLATION_DIAL,    /* isolate_streams: a fresh identity for each dial; a connection serves only who opened it */
	ISOLATION_PROCESS, /* one identity for each process or call */
	ISOLATION_HOST,    /* one for each target host */
	ISOLATION_NAME,    /* one under the name in `isolation_name` */
};

/* The gate's side of an instance; drivers leave it alone. */
struct overlay_gate {
	struct list listeners; /* changed by the control thread, with status_lock */
	bool started;          /* control thread, as `stopped` */
	atomic_bool stopped;
	atomic_uint_fast64_t dials, dials_failed;
	atomic_uint dials_open, nlisteners;
	atomic_int
		plain_state; /* the state while it has no reason, else -1: to see without a lock that nothing changed */
	pthread_mutex_t
		tell_lock; /* held while a change is told, so that changes are told in their order; taken first */
	pthread_mutex_t status_lock;  /* of `status` and of who listens where */
	struct overlay_status status; /* but for the counters */
};

struct overlay {
	const struct overlay_driver *driver;
	const struct overlay_env *env;
	char *id;
	uint64_t generation;
	bool isolate_streams; /* isolation == ISOLATION_DIAL */
	enum isolation isolation;
	char isolation_name[ISOLATION_NAME_MAX + 1];
	bool is_quiet; /* open()'s to set: this instance keeps nothing standing, though its driver can */
	struct refcount refs;
	struct overlay_gate gate;
};

struct dial {
	const struct overlay_driver *driver; /* NULL: the clear network */
	struct overlay *overlay;             /* a reference, or NULL */
	struct loop *loop;
	dial_done_fn *done;
	void *arg;
	struct dial_trace trace;
};

struct probe {
	const struct overlay_driver *driver;
	struct overlay *overlay; /* a reference */
	probe_done_fn *done;
	void *arg;
};

struct overlay_driver {
	const char *kind;     /* "network.socks5" */
	const char *label;    /* "socks5": prefix of its errors */
	const char *resolver; /* who resolves names, as in dial_trace; for people */
	/* The entry's other fields, NULL at the end; what is neither is told of: registry/fields.h. */
	const char *const *fields;
	/* The entry's fields that hold secrets, NULL at the end: each may be given as FIELD, FIELD_env, FIELD_file or FIELD_fd (registry/secret_read.h); open() finds the text
	 * under FIELD, in a string that is wiped afterwards. NULL: none. */
	const char *const *secret_fields;
	/* Read the entry's data (a map) into a new instance (calloc'd, embedding struct overlay first; the gate fills that
	 * part, but for the isolation fields: overlay_read_isolation(), and is_quiet); no I/O. An ERR_INVALID gets "<label>: failed to
	 * decode config: " before it. */
	int (*open)(const struct value *data, struct overlay **ret_overlay, struct err *e);
	/* The longest host that dial() wants to see, at most TARGET_TEXT_MAX; 0: HOST_TEXT_MAX. */
	size_t host_max;
	/* Begin; opt->host is already checked (length, characters), opt->isolation_key is not NULL. Allocates and returns its
	 * dial; the gate fills the embedded part, but for trace.resolver. What fails at once: return dial_new_failed(). */
	struct dial *(*dial)(struct overlay *o, const struct dial_options *opt);
	/* Undo a dial that has not reported: close what is open, free it. The gate drops d->overlay afterwards. */
	void (*cancel)(struct dial *d);
	/* Free the instance (its embedded part is freed by the gate first). Any thread. After stop(), if it was started. */
	void (*close)(struct overlay *o);

	/* -- NULL in drivers that keep nothing standing; control thread ------------------------------------------------- */
	/* The instance that this one may replace is still standing then, see `exclusive`. */
	int (*start)(struct overlay *o, struct err *e);
	/* Only after a start that succeeded, once. Dials may still be under way on workers, and fail or go on as the driver likes. Listeners that are still there are told
	 * `failed` by the gate afterwards; unlisten() of each follows. */
	void (*stop)(struct overlay *o);
	/* Two instances of one entry cannot stand at the same time (they share a state directory, an address): the replaced one is stopped in the step that replaces it,
	 * without a drain. The new one, started just before, waits for that by itself. */
	bool exclusive;
	/* start() brings nothing up by itself: the first dial or listener does, and until then the state is "starting". */
	bool is_lazy;

	/* -- NULL in drivers that have nobody to ask but what their state tells; the thread of opt->loop ----------------- */
	/* Allocates and returns its probe, embedding struct probe first; the gate fills that part. Reports with probe_report(), later only. */
	struct probe *(*probe)(struct overlay *o, const struct probe_options *opt);
	/* Undo one that has not reported: close what is open, free it. */
	void (*cancel_probe)(struct probe *p);

	/* -- NULL in drivers that cannot listen; control thread ---------------------------------------------------------- */
	/* Allocates and returns its listener, embedding struct listener first; the gate fills that part. Reports with the functions below, later only. */
	struct listener *(*listen)(struct overlay *o, const struct listen_options *opt);
	/* Close it and free it; nothing is reported any more. The gate drops l->overlay afterwards. */
	void (*unlisten)(struct listener *l);
	bool issues_tls;       /* takes listen_options.tls */
	const char *no_listen; /* why listen is NULL: "inbound listeners are not exposed over SOCKS5" */
};

/* What a driver's listener embeds first. All of it is the gate's. */
struct listener {
	const struct overlay_driver *driver;
	struct overlay *overlay; /* a reference */
	char *name;
	char *address; /* NULL: nobody can reach it yet */
	struct listen_callbacks cb;
	void *arg;
	struct list link;        /* in overlay->gate.listeners */
	struct loop_timer later; /* the overlay was stopped under it, or it is to be closed */
	bool is_over;            /* `failed` was told, or it is to be closed: nothing more is told */
	bool is_closing;         /* overlay_unlisten() was called by one of its own callbacks */
	unsigned telling;        /* callbacks that run now */
};

/* For drivers: tell. Control thread, never inside listen(). The listener outlives the call: unlisten() that a callback asks for comes in a later turn. What comes after
 * listener_failed() is dropped (`fd` is closed). */
void listener_ready(struct listener *l, const char *address);
void listener_accept(struct listener *l, int fd, const struct listen_peer *peer); /* takes fd */
void listener_failed(struct listener *l, const struct err *e);
/* How long drivers wait before they try again to bring a listener up. */
extern const struct backoff overlay_listen_retry;
/* A listener that reports `e` (copied) in a later turn; for listen(). */
struct listener *listener_new_failed(const struct listen_options *opt, const struct err *e);

/* For drivers: the state from now on; the same state with another reason is told too. Any thread. `reason` is one sentence, cut at OVERLAY_REASON_MAX, no secrets. */
void overlay_set_state(struct overlay *o, enum overlay_state s, const char *reason, ...)
	__attribute__((format(printf, 3, 4)));
/* Our own address on that network; NULL = unknown. Any thread. */
void overlay_set_address(struct overlay *o, const char *address);

/* For drivers: "<state_dir>/<kind>/<node>", made on demand with mode 0700 (parents too). `node` is made one safe path segment: letters, digits, '-', '_' and '.' (not
 * first) stay, other bytes become %XX, and a long one ends in a hash; so two nodes never share a directory. Below the state directory no symbolic link is followed and nothing
 * of another user is taken. INTERNAL with the system's text. */
int overlay_state_path(
	const struct overlay_env *env, const char *kind, const char *node, char **ret_path, struct err *e);

/* For drivers: like mkdir -p, with mode 0700 for what is made. INTERNAL with the system's text. */
int overlay_make_dir(const char *path, struct err *e);

/* For drivers: report and forget. The driver frees its dial right after this returns; `d->overlay` may be gone by then.
 * fd < 0: `e` says why. Never inside the driver's dial(). */
void dial_report(struct dial *d, int fd, const struct err *e);
/* The same for a probe: `e` NULL when it succeeded. Never inside the driver's probe(). */
void probe_report(struct probe *p, const struct probe_result *r, const struct err *e);
/* A dial that reports `e` (copied) in a later turn. */
struct dial *dial_new_failed(const struct dial_options *opt, const struct err *e);

/* For drivers: read `isolate_streams` and `isolation` ("dial", "process", "host" or a name of the caller's choice) into `o`.
 * ERR_INVALID when they are of the wrong type or contradict each other. */
int overlay_read_isolation(const struct value *data, struct overlay *o, struct err *e);
/* For drivers: read the `host` and `port` of the overlay's own endpoint. Brackets around an IPv6 literal are dropped.
 * Writes at most HOST_TEXT_MAX bytes and a NUL. ERR_INVALID "invalid configuration: network: host is required",
 * "invalid configuration: network: invalid port: line 12: 0 is not between 1 and 65535". */
int overlay_read_endpoint(
	const struct value *data, char ret_host[static HOST_TEXT_MAX + 1], uint16_t *ret_port, struct err *e);
/* For drivers: ERR_INVALID "invalid configuration: network: invalid KEY: line 12: REASON" about a field of the entry; the line only where it is known. Returns -1. */
int overlay_bad_field(const struct value *data, const char *key, struct err *e, const char *reason);
/* For drivers: read a secret; an absent field leaves *ret alone. ERR_INVALID, without the value, when it is no string or holds a NUL byte. */
int overlay_read_secret(const struct value *data, const char *key, struct secret **ret, struct err *e);
/* Which session (destination, credentials) a dial goes through: "" the one that all share (no isolation); NULL one for this dial alone, never used again; else a key: dials with equal
 * keys share a session, others never do. `isolation_key` is that of dial_options; the result is it, or static. */
const char *overlay_session_key(const struct overlay *o, const char *isolation_key);
/* "host:port", "[::1]:80"; returns `out`. */
enum { ENDPOINT_TEXT_MAX = HOST_TEXT_MAX + 2 + 6 + 1 };
char *endpoint_format(const char *host, uint16_t port, char out[static ENDPOINT_TEXT_MAX]);

extern const struct overlay_driver i2p_driver;
extern const struct overlay_driver socks5_driver;
extern const struct overlay_driver tailscale_driver;
extern const struct overlay_driver tor_driver;

#endif
