/*
 * addr.c - see addr.h
 */
#include "net/addr.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool addr_from_literal(const char *host, uint16_t port, struct addr *ret_addr)
{
	char bare[INET6_ADDRSTRLEN];
	struct addr a = {0};
	size_t len = strlen(host);
	bool in_brackets = len >= 2 && host[0] == '[' && host[len - 1] == ']';

	/* inet_pton() takes neither inet_aton()'s short and hexadecimal forms, nor leading zeros, nor zone ids. */
	if (!in_brackets && inet_pton(AF_INET, host, &a.in4.sin_addr) == 1) {
		a.in4.sin_family = AF_INET;
		a.in4.sin_port = htons(port);
		*ret_addr = a;
		return true;
	}
	if (in_brackets) {
		host++;
		len -= 2;
	}
	if (len >= sizeof(bare))
		return false;
	memcpy(bare, host, len);
	bare[len] = '\0';
	if (inet_pton(AF_INET6, bare, &a.in6.sin6_addr) != 1)
		return false;
	a.in6.sin6_family = AF_INET6;
	a.in6.sin6_port = htons(port);
	*ret_addr = a;
	return true;
}

socklen_t addr_len(const struct addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in4);
}

uint16_t addr_port(const struct addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in4.sin_port);
}

bool addr_is_same_ip(const struct addr *a, const struct addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in4.sin_addr.s_addr == b->in4.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr) && a->in6.sin6_scope_id == b->in6.sin6_scope_id;
}

char *addr_format_ip(const struct addr *a, char out[static ADDR_TEXT_MAX])
{
	const void *ip = a->sa.sa_family == AF_INET6 ? (const void *)&a->in6.sin6_addr : (const void *)&a->in4.sin_addr;

	if (!inet_ntop(a->sa.sa_family, ip, out, ADDR_TEXT_MAX))
		snprintf(out, ADDR_TEXT_MAX, "?"); /* neither IPv4 nor IPv6 */
	return out;
}

char *addr_format(const struct addr *a, char out[static ADDR_TEXT_MAX])
{
	char ip[ADDR_TEXT_MAX];

	addr_format_ip(a, ip);
	snprintf(out, ADDR_TEXT_MAX, a->sa.sa_family == AF_INET6 ? "[%.48s]:%u" : "%.48s:%u", ip,
		(unsigned)addr_port(a));
	return out;
}

static bool in4_is_private(uint32_t ip) /* host byte order */
{
	static const struct {
		uint32_t net;
		uint32_t mask;
	} nets[] = {
		{0x00000000, 0xffffffff}, /* unspecified */
		{0x7f000000, 0xff000000}, /* 127.0.0.0/8 */
		{0x0a000000, 0xff000000}, /* RFC 1918 */
		{0xac100000, 0xfff00000}, {0xc0a80000, 0xffff0000},
		{0xa9fe0000, 0xffff0000}, /* 169.254.0.0/16, RFC 3927 */
		{0xe0000000, 0xffffff00}, /* 224.0.0.0/24, RFC 5771 */
	};

	for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
		if ((ip & nets[i].mask) == nets[i].net)
			return true;
	}
	return false;
}

bool addr_is_private(const struct addr *a)
{
	const struct in6_addr *ip = &a->in6.sin6_addr;
	uint32_t mapped;

	if (a->sa.sa_family == AF_INET)
		return in4_is_private(ntohl(a->in4.sin_addr.s_addr));
	if (a->sa.sa_family != AF_INET6)
		return true; /* not something to be let through by mistake */
	if (IN6_IS_ADDR_V4MAPPED(ip)) {
		memcpy(&mapped, ip->s6_addr + 12, sizeof(mapped));
		return in4_is_private(ntohl(mapped));
	}
	return IN6_IS_ADDR_UNSPECIFIED(ip) || IN6_IS_ADDR_LOOPBACK(ip) || IN6_IS_ADDR_LINKLOCAL(ip) ||
	       IN6_IS_ADDR_MC_LINKLOCAL(ip) || (ip->s6_addr[0] & 0xfe) == 0xfc; /* RFC 4193 */
}

/* The number of bytes at `s`, up to a dot or the end, if they are all a C number: decimal, octal or hexadecimal; else
 * 0. */
static size_t number_label(const char *s)
{
	size_t len = strcspn(s, ".");
	bool is_hex = len >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	size_t digits = is_hex ? strspn(s + 2, "0123456789abcdefABCDEF") + 2 : strspn(s, "0123456789");

	return digits == len ? len : 0;
}

bool host_is_odd_numeric(const char *host)
{
	struct in_addr ip;
	struct addr a;
	const char *s = host;

	if (addr_from_literal(host, 0, &a))
		return false;
	/* Resolvers differ in how many parts, which values and what trailing bytes they accept, so anything that is
	 * numbers and dots is odd, also "256.1.1.1" and "127.0.0.1."; no such name exists in the DNS (RFC 3696, section
	 * 2). */
	if (inet_aton(host, &ip))
		return true;
	for (;;) {
		size_t len = number_label(s);

		if (len == 0)
			return false;
		s += len;
		if (*s == '.')
			s++;
		if (*s == '\0')
			return true;
	}
}

bool host_is_overlay_only(const char *host)
{
	static const char *const suffixes[] = {".onion", ".i2p"};
	size_t len = strlen(host);

	while (len > 0 && host[len - 1] == '.')
		len--;
	/* The bare words are no names of those networks; a container may well be called "i2p". */
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t n = strlen(suffixes[i]);

		if (len >= n && strncasecmp(host + len - n, suffixes[i], n) == 0)
			return true;
	}
	return false;
}
