/*
 * network.h - the files of `wippy network`: network.c (status, check), network_explain.c.
 */
#ifndef APP_NETWORK_H
#define APP_NETWORK_H

#include "app/start.h"

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
	struct option_list overrides;
	struct option_list sets;
	struct option_list profiles;
} network_opt;

/* `host` NULL: any name. Returns the exit code, -1 with `e`. */
int network_explain(const struct start *s, const char *host, struct err *e);

#endif
