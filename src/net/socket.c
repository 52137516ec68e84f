#include "net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

int socket_send(int fd, struct buf *out)
{
	while (buf_len(out) > 0) {
		ssize_t n = send(fd, buf_data(out), buf_len(out), MSG_NOSIGNAL);

		if (n > 0) {
			explicit_bzero((char *)buf_data(out), (size_t)n);
			buf_consume(out, (size_t)n);
		} else if (n < 0 && errno == EWOULDBLOCK) {
			return EAGAIN;
		} else if (n < 0 && errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

void socket_keep_alive(int fd, int idle_s, int interval_s, int count)
{
	const int on = 1;

	/* None of these fails on a TCP socket; if one did, the peer's death would only be noticed later. */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}
