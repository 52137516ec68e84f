/*
 * resolve.c - see resolve.h
 *
 * A resolve is shared with a pool thread from resolve_start() until on_done(): that thread reads `host` and `port` and
 * writes the result, the loop's thread touches only `done` meanwhile. So a cancelled one is freed by on_done().
 */
#include "net/resolve.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { LABEL_MAX = 63, REASON_MAX = 128 };

struct resolve {
	char *host;
	uint16_t port;
	resolve_fn *done; /* NULL: cancelled */
	void *arg;
	int gai;    /* getaddrinfo()'s answer */
	int errnum; /* with EAI_SYSTEM */
	size_t naddrs;
	struct addr addrs[RESOLVE_ADDRS_MAX];
};

/* Letters, digits, "-" and "_" in labels of 1 to 63 bytes, perhaps a dot at the end. Others would be taken for
 * something else by some resolver: "%" begins a zone id, "\" quotes a dot, U+3002 may become one. */
static bool is_host_name(const char *host)
{
	size_t label = 0;

	if (strlen(host) > HOST_TEXT_MAX)
		return false;
	for (const char *s = host; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if ((isascii(c) && isalnum(c)) || c == '-' || c == '_') {
			if (++label > LABEL_MAX)
				return false;
		} else {
			return false;
		}
	}
	return *host != '\0';
}

static int no_such_host(const char *host, struct err *e)
{
	err_set(e, ERR_NOT_FOUND, "lookup %.*s: no such host", (int)HOST_TEXT_MAX, host);
	return err_code(e, "no_such_host");
}

static int check_host(const char *host, struct err *e)
{
	if (host_is_overlay_only(host)) {
		size_t len = strlen(host);

		while (len > 0 && host[len - 1] == '.')
			len--;
		err_set(e, ERR_NOT_FOUND, "lookup %.*s: refused: %s names never go to the system resolver",
			(int)HOST_TEXT_MAX, host, tolower((unsigned char)host[len - 1]) == 'p' ? ".i2p" : ".onion");
		return err_code(e, "no_such_host");
	}
	if (!is_host_name(host) || host_is_odd_numeric(host))
		return no_such_host(host, e);
	return 0;
}

static int lookup_failed(const struct resolve *r, struct err *e)
{
	char buf[REASON_MAX], reason[REASON_MAX];
	const char *text;

	switch (r->gai) {
	case 0: /* answered with nothing we can use */
	case EAI_NONAME:
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return no_such_host(r->host, e);
	case EAI_SYSTEM:
		text = strerror_r(r->errnum, buf, sizeof(buf));
		break;
	default:
		text = gai_strerror(r->gai);
		break;
	}
	strncpy(reason, text, sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	reason[0] = (char)tolower((unsigned char)reason[0]);
	err_set(e, ERR_UNAVAILABLE, "lookup %s: %s", r->host, reason);
	err_code(e, "lookup_failed");
	return err_retryable(e);
}

static void add_addr(struct resolve *r, const struct addrinfo *ai)
{
	struct addr a = {0};

	if (ai->ai_family == AF_INET && ai->ai_addrlen == sizeof(a.in4)) {
		memcpy(&a.in4, ai->ai_addr, sizeof(a.in4));
		a.in4.sin_port = htons(r->port);
	} else if (ai->ai_family == AF_INET6 && ai->ai_addrlen == sizeof(a.in6)) {
		memcpy(&a.in6, ai->ai_addr, sizeof(a.in6));
		a.in6.sin6_port = htons(r->port);
	} else {
		return;
	}
	/* A hosts file may well name an address twice. */
	for (size_t i = 0; i < r->naddrs; i++) {
		if (addr_is_same_ip(&r->addrs[i], &a))
			return;
	}
	r->addrs[r->naddrs++] = a;
}

static void on_pool(void *arg)
{
	/* No AI_ADDRCONFIG: it would hide ::1 and 127.0.0.1 from a machine that has no other address of the family. */
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
	struct resolve *r = arg;
	struct addrinfo *list = NULL;

	r->gai = getaddrinfo(r->host, NULL, &hints, &list);
	if (r->gai != 0) {
		r->errnum = errno;
		return;
	}
	for (struct addrinfo *ai = list; ai && r->naddrs < RESOLVE_ADDRS_MAX; ai = ai->ai_next)
		add_addr(r, ai);
	freeaddrinfo(list);
}

static void on_done(void *arg)
{
	struct resolve *r = arg;
	struct err e = {0};

	if (r->done && r->naddrs == 0)
		lookup_failed(r, &e);
	if (r->done)
		r->done(r->arg, r->addrs, r->naddrs, r->naddrs ? NULL : &e);
	free(r->host);
	free(r);
}

int resolve_start(struct loop *l, const char *host, uint16_t port, resolve_fn *done, void *arg,
	struct resolve **ret_resolve, struct err *e)
{
	struct resolve *r;

	if (check_host(host, e) < 0)
		return -1;
	r = xcalloc(1, sizeof(*r));
	r->host = xstrdup(host);
	r->port = port;
	r->done = done;
	r->arg = arg;
	loop_work(l, on_pool, on_done, r);
	*ret_resolve = r;
	return 0;
}

void resolve_cancel(struct resolve *r)
{
	if (r)
		r->done = NULL;
}
