/*
 * driver.h - what a driver provides; seen by overlay/ and the list of drivers in app/ only.
 *
 * A driver embeds `struct overlay` first in its own struct and `struct dial` first in its own dial. Drivers are strangers to each other.
 */
#ifndef OVERLAY_DRIVER_H
#define OVERLAY_DRIVER_H

#include "base/refcount.h"
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

struct overlay {
	const struct overlay_driver *driver;
	const struct overlay_env *env;
	char *id;
	uint64_t generation;
	bool isolate_streams; /* isolation == ISOLATION_DIAL */
	enum isolation isolation;
	char isolation_name[ISOLATION_NAME_MAX + 1];
	struct refcount refs;
};

struct dial {
	const struct overlay_driver *driver; /* NULL: the clear network */
	struct overlay *overlay;             /* a reference, or NULL */
	struct loop *loop;
	dial_done_fn *done;
	void *arg;
	struct dial_trace trace;
};

struct overlay_driver {
	const char *kind;  /* "network.socks5" */
	const char *label; /* "socks5": prefix of its errors */
	/* Read the entry's data (a map) into a new instance (calloc'd, embedding struct overlay first; the gate fills that
	 * part, but for the isolation fields: overlay_read_isolation()); no I/O. An ERR_INVALID gets "<label>: failed to
	 * decode config: " before it. */
	int (*open)(const struct value *data, struct overlay **ret_overlay, struct err *e);
	/* Begin; opt->host is already checked (length, characters), opt->isolation_key is not NULL. Allocates and returns its
	 * dial; the gate fills the embedded part, but for trace.resolver. What fails at once: return dial_new_failed(). */
	struct dial *(*dial)(struct overlay *o, const struct dial_options *opt);
	/* Undo a dial that has not reported: close what is open, free it. The gate drops d->overlay afterwards. */
	void (*cancel)(struct dial *d);
	/* Free the instance (its embedded part is freed by the gate first). */
	void (*close)(struct overlay *o);
};

/* For drivers: report and forget. The driver frees its dial right after this returns; `d->overlay` may be gone by then.
 * fd < 0: `e` says why. Never inside the driver's dial(). */
void dial_report(struct dial *d, int fd, const struct err *e);
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
/* "host:port", "[::1]:80"; returns `out`. */
enum { ENDPOINT_TEXT_MAX = HOST_TEXT_MAX + 2 + 6 + 1 };
char *endpoint_format(const char *host, uint16_t port, char out[static ENDPOINT_TEXT_MAX]);

extern const struct overlay_driver socks5_driver;

#endif
