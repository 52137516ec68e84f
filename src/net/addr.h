/*
 * addr.h - socket addresses and host:port text. Pure, except resolve.h which looks names up.
 */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

enum {
	HOST_TEXT_MAX = 255,    /* a name of the DNS, and what SOCKS5 can carry */
	TARGET_TEXT_MAX = 2048, /* of what a dial is told: an I2P destination in base64 has 516 characters and more */
	ADDR_TEXT_MAX = 64,
};

/* An IPv4 or IPv6 endpoint. */
struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	};
};

/* Canonical dotted quad, or IPv6 text with or without brackets; false for anything else, also "0x7f.1" or "127.1". */
bool addr_from_literal(const char *host, uint16_t port, struct addr *ret_addr);
socklen_t addr_len(const struct addr *a);
uint16_t addr_port(const struct addr *a);
/* Same family, address and zone, whatever the port? */
bool addr_is_same_ip(const struct addr *a, const struct addr *b);
/* "127.0.0.1:80", "[::1]:80"; returns `out`. */
char *addr_format(const struct addr *a, char out[static ADDR_TEXT_MAX]);
/* Only the address, no brackets. */
char *addr_format_ip(const struct addr *a, char out[static ADDR_TEXT_MAX]);

/* Loopback, RFC 1918, fc00::/7, link-local, link-local multicast, unspecified; IPv4-mapped judged as IPv4. */
bool addr_is_private(const struct addr *a);

/* Would a system resolver's inet_aton() take this as a number ("127.1", "0x7f.1", "2130706433") though it is no
 * canonical literal? */
bool host_is_odd_numeric(const char *host);
/* Is `host` in a namespace that must never meet a system resolver (.onion, .i2p, and subnames; any case, trailing dot)?
 */
bool host_is_overlay_only(const char *host);

#endif
