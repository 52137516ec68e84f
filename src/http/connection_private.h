/*
 * connection_private.h - what the files of a connection share.
 */
#ifndef HTTP_CONNECTION_PRIVATE_H
#define HTTP_CONNECTION_PRIVATE_H

#include "http/server_private.h"

/* -- connection.c -- */
/* loop_now_ns() and so much; 0 (no limit) stays 0. */
uint64_t conn_due_in(const struct conn *c, uint64_t ns);
/* Between requests. */
void conn_wait_for_request(struct conn *c);
void conn_parse_begin(struct conn *c);
void conn_parse_end(struct conn *c); /* none is fine */
/* Part with the exchange (NULL: there is none) ... */
struct exchange *conn_detach(struct conn *c);
/* ... and give up the connection's reference. */
void conn_leave(struct exchange *x);
/* Close. It is freed in the end of what runs. */
void conn_drop(struct conn *c);
/* How many bytes may be read now. */
size_t conn_room(const struct conn *c);
bool conn_has_file(const struct conn *c);
/* Run in a later turn. */
void conn_post(struct conn *c);

/* -- connection_write.c -- */
extern const char CONN_CONTINUE[];
void conn_put_text(struct conn *c, const char *text);
void conn_write_some(struct conn *c);

/* -- connection_read.c -- */
void conn_read_some(struct conn *c);
/* Requests that came ahead. */
void conn_take_early(struct conn *c);

#endif
