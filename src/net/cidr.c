#include "net/cidr.h"

#include <arpa/inet.h>
#include <string.h>

static void map_in4(const void *ip, unsigned char out[16])
{
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	memcpy(out + 12, ip, 4);
}

bool cidr_parse(const char *text, size_t len, struct cidr *ret)
{
	char ip[INET6_ADDRSTRLEN];
	const char *slash = memchr(text, '/', len);
	size_t n = slash ? (size_t)(slash - text) : 0;
	size_t ndigits = slash ? len - n - 1 : 0;
	struct in_addr in4;
	unsigned bits = 0;

	if (n == 0 || n >= sizeof(ip) || ndigits == 0 || ndigits > 3 || (ndigits > 1 && slash[1] == '0'))
		return false;
	for (size_t i = 1; i <= ndigits; i++) {
		if (slash[i] < '0' || slash[i] > '9')
			return false;
		bits = bits * 10 + (unsigned)(slash[i] - '0');
	}
	memcpy(ip, text, n);
	ip[n] = '\0';
	if (inet_pton(AF_INET, ip, &in4) == 1) {
		if (bits > 32)
			return false;
		map_in4(&in4, ret->bytes);
		bits += 96;
	} else if (inet_pton(AF_INET6, ip, ret->bytes) != 1 || bits > 128) {
		return false;
	}
	ret->bits = bits;
	return true;
}

bool cidr_contains(const struct cidr *c, const struct addr *a)
{
	unsigned char ip[16];
	unsigned whole = c->bits / 8, rest = c->bits % 8;

	if (a->sa.sa_family == AF_INET)
		map_in4(&a->in4.sin_addr, ip);
	else if (a->sa.sa_family == AF_INET6)
		memcpy(ip, &a->in6.sin6_addr, sizeof(ip));
	else
		return false;
	return memcmp(c->bytes, ip, whole) == 0 && (rest == 0 || (c->bytes[whole] ^ ip[whole]) >> (8 - rest) == 0);
}
