/*
 * origin.c - an HTTP/1.1 server that does next to nothing, so that what is measured is the client: origin PORT.
 *
 * One thread, epoll, one fixed answer per request head; honours "Connection: close". Ends when standard input closes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_MAX = 8192, EVENTS = 256, FDS = 65536 };

struct conn {
	size_t len;
	char head[HEAD_MAX];
};

static struct conn *conns[FDS];

static const char keep[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";
static const char last[] =
	"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 13\r\n\r\nHello, world!";

static void drop(int fd)
{
	free(conns[fd]);
	conns[fd] = NULL;
	close(fd);
}

static void serve(int fd)
{
	struct conn *c = conns[fd];
	char *end;
	ssize_t n = read(fd, c->head + c->len, HEAD_MAX - 1 - c->len);

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			drop(fd);
		return;
	}
	c->len += (size_t)n;
	c->head[c->len] = '\0';
	while ((end = strstr(c->head, "\r\n\r\n"))) {
		int closing;

		*end = '\0';
		closing = strcasestr(c->head, "connection: close") != NULL;
		if (write(fd, closing ? last : keep, closing ? sizeof(last) - 1 : sizeof(keep) - 1) < 0 || closing) {
			drop(fd);
			return;
		}
		end += 4;
		c->len -= (size_t)(end - c->head);
		memmove(c->head, end, c->len + 1);
	}
	if (c->len == HEAD_MAX - 1)
		drop(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event events[EVENTS], ev = {.events = EPOLLIN};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(0), one = 1;
	socklen_t len = sizeof(a);

	a.sin_port = htons(argc > 1 ? (uint16_t)atoi(argv[1]) : 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 1024) < 0) {
		perror("origin");
		return 1;
	}
	getsockname(listener, (struct sockaddr *)&a, &len);
	printf("{\"port\": %d}\n", ntohs(a.sin_port));
	fflush(stdout);
	ev.data.fd = listener;
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
	ev.data.fd = STDIN_FILENO;
	epoll_ctl(ep, EPOLL_CTL_ADD, STDIN_FILENO, &ev);
	for (;;) {
		int n = epoll_wait(ep, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == STDIN_FILENO) {
				char c;

				if (read(fd, &c, 1) <= 0)
					return 0;
			} else if (fd == listener) {
				while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
					if (fd >= FDS) {
						close(fd);
						continue;
					}
					setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
					conns[fd] = calloc(1, sizeof(struct conn));
					ev.data.fd = fd;
					epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
				}
			} else {
				serve(fd);
			}
		}
	}
}
