#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/internal.h"

/*
 * A connected Unix socket given to libcurl.
 *
 * libcurl 7.88 calls connect() on the descriptor whatever the sockopt callback says (https://github.com/curl/curl/issues/10626; from 8.0 on it does not), and Linux answers
 * EISCONN for a connected Unix socket, which libcurl takes for a failure. Nor may the answer be "under way": 7.88 then asks for no events but waits for a timer of 200 ms, and when the
 * transfer is given up in between, it closes the descriptor without the closesocket callback, under the loop's watch.
 *
 * So libcurl gets a stand-in, a datagram socket whose peer is itself: connect() to its own address is granted at once, as often as one likes, and it is always writable. When the
 * first byte is about to go out (the TLS handshake begins, or the request), the connection takes over its number. Should that ever be missed, libcurl talks to itself and hears
 * nothing that it understands; nothing leaves this machine. Nobody else can put anything into the stand-in: it takes datagrams from its peer only.
 *
 * It is a UDP socket, since libcurl does not keep a connection whose peer has no printable address; where there is no loopback interface, a Unix one, and then nothing is kept.
 */

static int stand_in(struct sockaddr *name, socklen_t len, socklen_t *ret_len)
{
	int fd = socket(name->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*ret_len = sizeof(struct sockaddr_in6);
	/* The kernel picks the port, or an abstract name. */
	if (fd >= 0 && bind(fd, name, len) == 0 && getsockname(fd, name, ret_len) == 0 &&
		*ret_len <= sizeof(struct sockaddr_in6) && connect(fd, name, *ret_len) == 0)
		return fd;
	if (fd >= 0)
		close(fd); /* errno stays */
	return -1;
}

int http_handover_open(struct curl_sockaddr *address)
{
	struct addr name = {.in4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t len;
	int fd = stand_in(&name.sa, sizeof(name.in4), &len);

	if (fd < 0) {
		name = (struct addr){.sa = {.sa_family = AF_UNIX}};
		fd = stand_in(&name.sa, sizeof(name.sa.sa_family), &len);
	}
	if (fd < 0)
		return -1;
	address->family = name.sa.sa_family;
	address->addrlen = len;
	memcpy((char *)address + offsetof(struct curl_sockaddr, addr), &name, len);
	return fd;
}

int http_handover_finish(struct http_conn *conn)
{
	int events, rc;

	if (conn->real_fd < 0)
		return 0;
	/* What is watched is the socket, not the number. */
	events = conn->events;
	loop_poll_free(conn->poll);
	conn->poll = NULL;
	conn->events = 0;
	rc = dup3(conn->real_fd, conn->fd, O_CLOEXEC);
	close(conn->real_fd);
	conn->real_fd = -1;
	http_conn_watch(conn, events);
	return rc < 0 ? -1 : 0;
}
