/*
 * builtin_real_ip.c - the middleware real_ip: behind a proxy that is trusted, the client's address is what the
 * proxy says.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/builtin.h"
#include "net/cidr.h"

enum { SUBNETS_MAX = 1024 };

struct real_ip {
	size_t nsubnets;
	bool trust_all;
	struct cidr subnets[];
};

static const char private_subnets[] =
	"127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,100.64.0.0/10,"
	"::1/128,fc00::/7,fe80::/10";

static int real_ip_create(void *env, const struct value *options, void **ret_self, struct err *e)
{
	const char *list = http_option(options, "real_ip.trusted.subnets", "trusted_subnets", private_subnets);
	struct real_ip *r;
	size_t n = 1;

	(void)env;
	for (const char *s = list; *s; s++)
		n += *s == ',';
	if (n > SUBNETS_MAX)
		return err_set(
			e, ERR_INVALID, "option 'real_ip.trusted.subnets' names more than %d networks", SUBNETS_MAX);
	r = xcalloc(1, sizeof(*r) + n * sizeof(r->subnets[0]));
	for (const char *s = list; *s;) {
		size_t whole = strcspn(s, ","), len = whole, lead = strspn(s, " \t");

		lead = lead < len ? lead : len;
		while (len > lead && strchr(" \t", s[len - 1]))
			len--;
		r->nsubnets += cidr_parse(s + lead, len - lead, &r->subnets[r->nsubnets]);
		s += s[whole] ? whole + 1 : whole;
	}
	/* A list in which nothing can be read trusts nobody: the other way, a slip of the pen would let every
	 * client choose its address. */
	r->trust_all = http_option_is_true(options, "real_ip.trust_all", NULL);
	*ret_self = r;
	return 0;
}

static bool parse_ip(const char *text, size_t len, struct addr *ret)
{
	char ip[INET6_ADDRSTRLEN];

	if (len == 0 || len >= sizeof(ip) || text[0] == '[')
		return false;
	memcpy(ip, text, len);
	ip[len] = '\0';
	return addr_from_literal(ip, 0, ret);
}

static bool is_trusted(const struct real_ip *r, const char *remote)
{
	struct buf ip = BUF_INIT;
	struct addr a;
	bool is_ip, found = r->trust_all;

	if (found)
		return true;
	http_remote_ip(remote, &ip);
	is_ip = parse_ip(buf_str(&ip), buf_len(&ip), &a);
	buf_done(&ip);
	for (size_t i = 0; is_ip && !found && i < r->nsubnets; i++)
		found = cidr_contains(&r->subnets[i], &a);
	return found;
}

static enum middleware_next real_ip_begin(void *self, struct exchange *x)
{
	static const char *const names[] = {"True-Client-IP", "X-Real-IP", "X-Forwarded-For"};
	char ip[ADDR_TEXT_MAX];
	struct addr a;

	if (!is_trusted(self, exchange_remote(x)))
		return MIDDLEWARE_NEXT;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *text = exchange_header(x, names[i]);
		size_t len;

		if (!text || !text[0])
			continue;
		/* Only the last of them is a list: the client first, then the proxies it came through. */
		len = i == 2 ? strcspn(text, ",") : strlen(text);
		while (len > 0 && strchr(" \t", text[len - 1]))
			len--;
		if (len == 0)
			continue;
		if (parse_ip(text, len, &a))
			exchange_set_remote(x, addr_format_ip(&a, ip));
		break;
	}
	return MIDDLEWARE_NEXT;
}

const struct middleware_type http_real_ip_middleware = {
	.name = "real_ip",
	.create = real_ip_create,
	.free = free,
	.begin = real_ip_begin,
};
