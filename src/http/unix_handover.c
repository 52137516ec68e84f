#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/internal.h"

/*
 * A connected Unix socket (Tor's SOCKS port behind a path) given to libcurl.
 *
 * libcurl 7.88 calls connect() on the descriptor whatever the sockopt callback says (https://github.com/curl/curl/issues/10626; from 8.0 on it does not), and Linux answers
 * EISCONN for a connected Unix socket, which libcurl takes for a failure. But where the listener has no room, connect() says EAGAIN before it looks at the caller's own state, and
 * that libcurl takes for "under way": it looks at SO_ERROR and finds the socket connected. So each client keeps a listener without a name in the file system whose queue of one is
 * full and is never emptied. Should a kernel look at the two in another order, the transfer fails, and nothing else happens.
 */

static int open_busy(struct http_client *c, const struct sockaddr_un *any, struct sockaddr_un *name, socklen_t *len)
{
	int *fds = c->busy_fds;

	fds[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	fds[1] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* A bare family: Linux picks an abstract name. */
	if (fds[0] < 0 || fds[1] < 0 || bind(fds[0], (const struct sockaddr *)any, sizeof(any->sun_family)) < 0 ||
		listen(fds[0], 0) < 0 || getsockname(fds[0], (struct sockaddr *)name, len) < 0)
		return -1;
	/* Somebody else may have taken the place: then it is taken all the same. */
	return connect(fds[1], (struct sockaddr *)name, *len) == 0 || errno == EAGAIN ? 0 : -1;
}

int http_handover_unix(struct http_client *c, struct curl_sockaddr *address)
{
	const struct sockaddr_un any = {.sun_family = AF_UNIX};
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(name);
	int rc;

	if (c->busy_fds[0] < 0)
		rc = open_busy(c, &any, &name, &len);
	else
		rc = getsockname(c->busy_fds[0], (struct sockaddr *)&name, &len);
	if (rc < 0 || len > sizeof(struct sockaddr_in6)) {
		http_handover_done(c);
		return -1;
	}
	address->family = AF_UNIX;
	address->addrlen = len;
	memcpy((char *)address + offsetof(struct curl_sockaddr, addr), &name, len);
	return 0;
}

void http_handover_done(struct http_client *c)
{
	for (size_t i = 0; i < 2; i++) {
		if (c->busy_fds[i] >= 0)
			close(c->busy_fds[i]);
		c->busy_fds[i] = -1;
	}
}
