/*
 * hello.c PORT - the least a server can do: one thread, epoll, "hello" for every request head, nothing understood.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

static int serve(int fd)
{
	char in[16384], *at = in;
	ssize_t n = recv(fd, in, sizeof(in) - 1, 0);

	if (n <= 0)
		return -1;
	in[n] = '\0';
	while ((at = strstr(at, "\r\n\r\n"))) {
		at += 4;
		if (send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(argc > 1 ? atoi(argv[1]) : 0),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0), on = 1;
	struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, got[64];

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&to, sizeof(to)) || listen(listener, 1024) ||
		epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e))
		return 1;
	for (;;) {
		int n = epoll_wait(epoll, got, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd = got[i].data.fd;

			if (fd == listener) {
				e.data.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
				epoll_ctl(epoll, EPOLL_CTL_ADD, e.data.fd, &e);
			} else if (serve(fd) < 0) {
				close(fd);
			}
		}
	}
}
