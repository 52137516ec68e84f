/*
 * service_table.h - what the supervisor last said about each service, for whoever asks on any thread.
 *
 * The main thread writes when a state changes; readers get copies. Nothing waits for the main thread.
 */
#ifndef ACTOR_SERVICE_TABLE_H
#define ACTOR_SERVICE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct service_table;

struct service_status {
	char *id;
	const char *status; /* "running", ...; static, as `desired` is */
	const char *desired;
	char *details; /* the error of the last failure, NULL: none */
	int64_t retry_count;
	int64_t last_update_ns; /* Unix time, as the next one */
	int64_t started_at_ns;  /* of its last start; 0: never */
};

struct service_table *service_table_new(void);
void service_table_free(struct service_table *t); /* NULL is fine */

/* Copies `s`; one of the same id is replaced. */
void service_table_put(struct service_table *t, const struct service_status *s);
void service_table_remove(struct service_table *t, const char *id);

/* A copy to be freed with service_status_done(); false: there is no such service. */
bool service_table_get(struct service_table *t, const char *id, struct service_status *ret);
/* All of them in the order of their ids, the caller's array of copies: service_statuses_free(). */
size_t service_table_list(struct service_table *t, struct service_status **ret_list);

void service_status_done(struct service_status *s);
void service_statuses_free(struct service_status *list, size_t n); /* NULL is fine */

#endif
