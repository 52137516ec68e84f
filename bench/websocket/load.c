/*
 * load.c PORT CONNECTIONS SECONDS BYTES - every connection sends a text message and waits for one to come back, and so on. Prints messages a second, then in
 * microseconds what 50, 99 and 99.9 % of the round trips stay under. One thread.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, IN_BYTES = 128 * 1024, TOOK_MAX = 1 << 24 };

struct conn {
	int fd;
	uint64_t sent_ns;
	size_t got;
	unsigned char in[IN_BYTES];
};

static unsigned char message[IN_BYTES];
static size_t message_len;
static uint32_t *took;
static size_t ntook;

static void die(const char *what)
{
	fprintf(stderr, "load: %s\n", what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* A masked text frame; a mask of zeros is one too (RFC 6455 section 5.3). */
static void write_message(size_t n)
{
	size_t at = 0;

	if (n + 14 > sizeof(message))
		die("so long a message is not foreseen");
	message[at++] = 0x81;
	if (n < 126) {
		message[at++] = (unsigned char)(0x80 | n);
	} else if (n < 65536) {
		message[at++] = 0x80 | 126;
		message[at++] = (unsigned char)(n >> 8);
		message[at++] = (unsigned char)n;
	} else {
		message[at++] = 0x80 | 127;
		for (int i = 7; i >= 0; i--)
			message[at++] = (unsigned char)((uint64_t)n >> (8 * i));
	}
	memset(message + at, 0, 4);
	at += 4;
	memset(message + at, 'x', n);
	message_len = at + n;
}

static void send_message(struct conn *c)
{
	c->sent_ns = now_ns();
	c->got = 0;
	if (send(c->fd, message, message_len, MSG_NOSIGNAL) != (ssize_t)message_len)
		die("a message could not be sent");
}

/* Bytes of the frame at the front; 0: not known yet. */
static size_t frame_len(const struct conn *c)
{
	size_t n, head = 2;

	if (c->got < 2)
		return 0;
	n = c->in[1];
	if (c->in[0] != 0x81 || n & 0x80)
		die("what came is no text message");
	if (n == 126)
		head = 4;
	else if (n == 127)
		head = 10;
	if (c->got < head)
		return 0;
	if (head > 2)
		n = 0;
	for (size_t i = 2; i < head; i++)
		n = n << 8 | c->in[i];
	return head + n;
}

static void take(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->got, IN_BYTES - c->got, MSG_DONTWAIT);
	size_t len;

	if (n <= 0)
		die("a connection was closed");
	c->got += (size_t)n;
	len = frame_len(c);
	if (len == 0 || c->got < len)
		return;
	if (c->got > len)
		die("more came back than was sent");
	if (ntook < TOOK_MAX)
		took[ntook++] = (uint32_t)(now_ns() - c->sent_ns);
	send_message(c);
}

static void open_conn(struct conn *c, int port)
{
	static const char hello[] = "GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: "
				    "Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char head[4096];
	size_t n = 0;
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		die("cannot connect");
	if (send(c->fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL) < 0)
		die("cannot send");
	while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0)
		if (n == sizeof(head) || recv(c->fd, head + n++, 1, 0) <= 0)
			die("no answer to the handshake");
	if (memcmp(head, "HTTP/1.1 101", 12) != 0)
		die("the handshake was refused");
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	struct epoll_event got[64];
	int epoll = epoll_create1(0), n = argc == 5 ? atoi(argv[2]) : 0;
	struct conn *conns;
	uint64_t begun, now, end;

	if (n < 1 || n > CONNECTIONS_MAX)
		die("PORT CONNECTIONS SECONDS BYTES");
	conns = calloc((size_t)n, sizeof(*conns));
	took = calloc(TOOK_MAX, sizeof(*took));
	write_message(strtoul(argv[4], NULL, 10));
	for (int i = 0; i < n; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = &conns[i]};

		open_conn(&conns[i], atoi(argv[1]));
		epoll_ctl(epoll, EPOLL_CTL_ADD, conns[i].fd, &e);
	}
	begun = now = now_ns();
	end = begun + strtoull(argv[3], NULL, 10) * 1000000000;
	for (int i = 0; i < n; i++)
		send_message(&conns[i]);
	while (now < end) {
		int ready = epoll_wait(epoll, got, 64, 1000);

		for (int i = 0; i < ready; i++)
			take(got[i].data.ptr);
		now = now_ns();
	}
	if (ntook == 0)
		die("nothing came back");
	qsort(took, ntook, sizeof(*took), by_size);
	printf("%.0f %.1f %.1f %.1f\n", (double)ntook * 1e9 / (double)(now - begun), took[ntook / 2] / 1e3,
		took[(size_t)(0.99 * (double)(ntook - 1))] / 1e3, took[(size_t)(0.999 * (double)(ntook - 1))] / 1e3);
	return 0;
}
