/*
 * curl_loop.c - the bare libcurl client to compare with: curl_loop PROXY_PORT URL REQUESTS CONCURRENCY keep|new.
 *
 * curl_multi_socket_action over epoll, libcurl's own socks5h, one thread. Prints requests per second.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

static int ep;
static long timeout_ms = -1;
static CURLM *multi;
static long left, running, failed;
static const char *url;
static char proxy[64];
static int fresh;

static size_t take(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct epoll_event ev = {.data.fd = fd};

	(void)easy;
	(void)arg;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	ev.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	if (epoll_ctl(ep, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) < 0)
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	curl_multi_assign(multi, fd, &ep);
	return 0;
}

static int on_timer(CURLM *m, long ms, void *arg)
{
	(void)m;
	(void)arg;
	timeout_ms = ms;
	return 0;
}

static void add(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROXY, proxy);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, (long)fresh);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)fresh);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30000L);
	curl_multi_add_handle(multi, easy);
	left--;
	running++;
}

static void reap(void)
{
	CURLMsg *msg;
	int n;

	while ((msg = curl_multi_info_read(multi, &n))) {
		CURL *easy = msg->easy_handle;

		if (msg->msg != CURLMSG_DONE)
			continue;
		failed += msg->data.result != CURLE_OK;
		running--;
		curl_multi_remove_handle(multi, easy);
		if (left > 0)
			add(easy);
		else
			curl_easy_cleanup(easy);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event events[256];
	struct timespec a, b;
	long total;
	int n, alive;
	double seconds;

	if (argc != 6)
		return 2;
	snprintf(proxy, sizeof(proxy), "socks5h://127.0.0.1:%s", argv[1]);
	url = argv[2];
	total = left = atol(argv[3]);
	fresh = strcmp(argv[5], "new") == 0;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	ep = epoll_create1(0);
	multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 100L);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < atoi(argv[4]) && left > 0; i++)
		add(curl_easy_init());
	while (running > 0) {
		n = epoll_wait(ep, events, 256, timeout_ms < 0 ? 1000 : (int)timeout_ms);
		if (n == 0)
			curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &alive);
		for (int i = 0; i < n; i++) {
			int what = (events[i].events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
				   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
				   (events[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0);

			curl_multi_socket_action(multi, events[i].data.fd, what, &alive);
		}
		reap();
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	seconds = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	if (failed > 0) {
		fprintf(stderr, "curl_loop: %ld requests failed\n", failed);
		return 1;
	}
	printf("%.0f\n", (double)total / seconds);
	return 0;
}
