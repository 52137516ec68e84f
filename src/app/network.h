/*
 * network.h - the files of `wippy network`: network.c (the command), network_status.c, network_check.c, network_explain.c. Main thread.
 */
#ifndef APP_NETWORK_H
#define APP_NETWORK_H

#include <stdint.h>

#include "app/start.h"

struct runtime;

/* Exit codes besides EXIT_OK and EXIT_ERROR. */
enum {
	NETWORK_EXIT_DOWN = 3,
	NETWORK_EXIT_TARGET = 4,
	NETWORK_EXIT_TIMEOUT = 5,
};

/* What the command line said. */
extern struct network_options {
	bool json;
	bool watch;
	const char *timeout;
	const char *entry;
	const char *call;
	const char *inherited;
	const char *request;
	struct start_flags flags;
} network_opt;

/* --timeout in milliseconds, or what it is without the flag. */
int network_read_timeout(uint64_t default_ms, uint64_t *ret_ms, struct err *e);

/* The project's overlays (`only` NULL: all of them) in a runtime of their own: runtime_free() takes them down. No worker runs: everything
 * happens on this thread's runtime_loop(). */
int network_bring_up(const struct start *s, const char *only, struct runtime **ret, struct err *e);

/* The number of a field, 0 when there is none. */
long long network_number(const struct value *v, const char *name);
/* As one line on standard output, at once. */
void network_print_json(const struct value *v);

/* The commands return the exit code, -1 with `e`. */
int network_status(const struct start *s, struct err *e);
/* `url` NULL: only whether the network comes up. */
int network_check(const struct start *s, const char *id, const char *url, struct err *e);
/* `host` NULL: any name. */
int network_explain(const struct start *s, const char *target, struct err *e);

#endif
