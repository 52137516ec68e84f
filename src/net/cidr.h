/*
 * cidr.h - lists of networks such as "10.0.0.0/8" and "fc00::/7" (RFC 4632, RFC 4291 section 2.3). Pure; any thread.
 */
#ifndef NET_CIDR_H
#define NET_CIDR_H

#include <stdbool.h>
#include <stddef.h>

#include "net/addr.h"

struct cidr {
	unsigned char bytes[16]; /* an IPv4 network as ::ffff:0:0/96 */
	unsigned bits;
};

/* "10.0.0.0/8"; bits behind the prefix do not count. False: it is none. */
bool cidr_parse(const char *text, size_t len, struct cidr *ret);
/* An IPv4-mapped IPv6 address is judged as IPv4. */
bool cidr_contains(const struct cidr *c, const struct addr *a);

#endif
