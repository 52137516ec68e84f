/*
 * pace.c PORT PATH RATE SECONDS - RATE requests a second, evenly spaced, over 64 connections in turn, whether or not answers come. Prints in microseconds what 50, 99
 * and 99.9 % of the latencies stay under, and the longest, counted from when each request was due; then the same of how late this program itself was.
 *
 * One thread that does nothing but wait for the next event: a client with a scheduler and a collector of its own, which takes the processors from the server it
 * measures, would show mostly itself.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 64, ANSWER_BYTES_MAX = 65536 };

struct conn {
	int fd;
	uint64_t next; /* number of the next request to send */
	uint64_t due;  /* of the one under way; 0: none */
	size_t got;
	char in[ANSWER_BYTES_MAX + 1];
};

static struct conn conns[CONNECTIONS];
static uint64_t begin, total;
static double every;
static uint32_t *took, *late;
static size_t ntook, nlate;
static char request[1024];
static size_t request_len;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t due_of(uint64_t number)
{
	return begin + (uint64_t)((double)number * every);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void send_due(struct conn *c, uint64_t now, int was_free)
{
	if (c->due || c->next >= total || due_of(c->next) > now)
		return;
	c->due = due_of(c->next);
	c->next += CONNECTIONS;
	if (was_free)
		late[nlate++] = (uint32_t)(now - c->due);
	if (send(c->fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
		die("pace: send");
}

/* A whole answer with a length, or chunked to its end. */
static int is_whole(const struct conn *c)
{
	const char *end = strstr(c->in, "\r\n\r\n"), *length = strcasestr(c->in, "\ncontent-length:");

	if (!end)
		return 0;
	if (length && length < end)
		return c->got >= (size_t)(end + 4 - c->in) + strtoul(length + 16, NULL, 10);
	return strstr(end, "\r\n0\r\n\r\n") != NULL;
}

static void take_answer(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->got, ANSWER_BYTES_MAX - c->got, MSG_DONTWAIT);

	if (n <= 0 || !c->due)
		die("pace: a connection was closed");
	c->got += (size_t)n;
	c->in[c->got] = '\0';
	if (!is_whole(c))
		return;
	if (strncmp(c->in, "HTTP/1.1 200", 12) != 0) {
		fprintf(stderr, "pace: %.40s\n", c->in);
		exit(1);
	}
	took[ntook++] = (uint32_t)(now_ns() - c->due);
	c->due = 0;
	c->got = 0;
	send_due(c, now_ns(), 0);
}

static void print_parts(uint32_t *all, size_t n)
{
	qsort(all, n, sizeof(*all), by_size);
	printf("%.1f %.1f %.1f %.1f\n", all[n / 2] / 1e3, all[(size_t)(0.99 * (double)(n - 1))] / 1e3,
		all[(size_t)(0.999 * (double)(n - 1))] / 1e3, all[n - 1] / 1e3);
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int epoll = epoll_create1(0), on = 1;
	struct epoll_event got[CONNECTIONS];
	double rate;

	if (argc != 5)
		return 2;
	to.sin_port = htons((uint16_t)atoi(argv[1]));
	request_len = (size_t)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", argv[2]);
	rate = atof(argv[3]);
	every = 1e9 / rate;
	total = (uint64_t)(rate * atof(argv[4]));
	took = calloc(total + 1, sizeof(*took));
	late = calloc(total + 1, sizeof(*late));
	prctl(PR_SET_TIMERSLACK, 1UL);
	for (int i = 0; i < CONNECTIONS; i++) {
		struct conn *c = &conns[i];
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

		c->next = (uint64_t)i;
		c->fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) ||
			setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
			epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e))
			die("pace: connect");
	}
	begin = now_ns() + 10000000;
	for (uint64_t next = 0; ntook < total;) {
		uint64_t now = now_ns(), wait;
		struct timespec t;
		int n;

		for (; next < total && due_of(next) <= now; next++)
			send_due(&conns[next % CONNECTIONS], now, 1);
		wait = next < total ? due_of(next) - now : 1000000000;
		t = (struct timespec){.tv_sec = (time_t)(wait / 1000000000), .tv_nsec = (long)(wait % 1000000000)};
		n = epoll_pwait2(epoll, got, CONNECTIONS, &t, NULL);
		for (int i = 0; i < n; i++)
			take_answer(got[i].data.ptr);
	}
	print_parts(took, ntook);
	print_parts(late, nlate > 0 ? nlate : 1);
}
