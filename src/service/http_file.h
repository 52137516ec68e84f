/*
 * http_file.h - an open file as the answer to a request: conditions, ranges, parts (RFC 9110 sections 13 and 14,
 * RFC 9110 section 14.6 for several ranges).
 *
 * On the exchange's worker. The bytes go from the file to the socket inside the kernel where nothing has to see
 * them; else they are read on the thread pool, a piece at a time, as fast as the client takes them.
 */
#ifndef SERVICE_HTTP_FILE_H
#define SERVICE_HTTP_FILE_H

#include <stdint.h>

#include "http/exchange.h"

struct http_file {
	int fd; /* taken */
	uint64_t size;
	int64_t modified; /* Unix seconds */
	const char *type; /* Content-Type, unless the response has one; borrowed */
};

/* Nothing is committed yet; headers set before are sent along (an ETag counts as validator). Ends the exchange, now
 * or later. */
void http_file_serve(struct exchange *x, const struct http_file *f);

#endif
