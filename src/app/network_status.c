/*
 * network_status.c - `wippy network status`: what the program that runs says about its overlays; when none runs, the project's
 * overlays brought up for as long as that takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/network.h"
#include "overlay/driver.h"
#include "service/control.h"
#include "service/runtime.h"

#define opt network_opt

enum { STATUS_MS = 10000, POLL_MS = 100, WATCH_MS = 500 };

/* -- showing ---------------------------------------------------------------------------------------- */

static const char *clock_text(long long unix_ms, char out[static 32])
{
	time_t t = (time_t)(unix_ms / 1000);
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
	return out;
}

static void print_table(const struct value *list)
{
	int id_width = 7, kind_width = 4;
	char since[32];

	for (size_t i = 0; i < value_count(list); i++) {
		int id = (int)strlen(value_text_at(value_at(list, i), "id"));
		int kind = (int)strlen(value_text_at(value_at(list, i), "kind"));

		id_width = id > id_width ? id : id_width;
		kind_width = kind > kind_width ? kind : kind_width;
	}
	printf("%-*s  %-*s  %-8s  %-19s  %6s  %6s  %s\n", id_width, "NETWORK", kind_width, "KIND", "STATE", "SINCE",
		"DIALS", "FAILED", "ADDRESS");
	for (size_t i = 0; i < value_count(list); i++) {
		const struct value *v = value_at(list, i);
		const struct value *listening = value_get(v, "listening");

		printf("%-*s  %-*s  %-8s  %-19s  %6lld  %6lld  %s\n", id_width, value_text_at(v, "id"), kind_width,
			value_text_at(v, "kind"), value_text_at(v, "state"),
			clock_text(network_number(v, "since"), since), network_number(v, "dials"),
			network_number(v, "dials_failed"), value_text_at(v, "address"));
		if (value_text_at(v, "reason")[0])
			printf("%*s  %s\n", id_width, "", value_text_at(v, "reason"));
		for (size_t k = 0; k < value_count(listening); k++)
			printf("%*s  %s listens at %s\n", id_width, "",
				value_text_at(value_at(listening, k), "service"),
				value_text_at(value_at(listening, k), "address"));
	}
}

static void print_line(const struct value *v)
{
	char now[32];

	printf("%s  %s  %s%s%s%s%s\n", clock_text((long long)time(NULL) * 1000, now), value_text_at(v, "id"),
		value_text_at(v, "state"), value_text_at(v, "address")[0] ? "  " : "", value_text_at(v, "address"),
		value_text_at(v, "reason")[0] ? "  " : "", value_text_at(v, "reason"));
	fflush(stdout);
}

/* -- asking, and waiting ---------------------------------------------------------------------------- */

struct watch {
	struct runtime *rt; /* NULL: a program runs, and is asked */
	const char *state_dir;
	struct loop *loop;
	struct loop_timer timer;
	uint64_t deadline_ns;
	struct value *last; /* shown */
	int code;
	struct err *err;
};

/* Is there nothing to wait for? What keeps no session is as it is until something dials. */
static bool is_settled(struct runtime *rt)
{
	bool settled = true;
	struct overlay **all;
	size_t n;

	all = overlay_set_list(rt->node.overlays, &n);
	for (size_t i = 0; i < n; i++) {
		struct overlay_status st;

		overlay_get_status(all[i], &st);
		if (st.state == OVERLAY_STARTING && overlay_keeps_session(all[i]))
			settled = false;
		overlay_unref(all[i]);
	}
	free(all);
	return settled;
}

static bool is_same(const struct value *a, const struct value *b)
{
	return strcmp(value_text_at(a, "id"), value_text_at(b, "id")) == 0 &&
	       strcmp(value_text_at(a, "state"), value_text_at(b, "state")) == 0 &&
	       strcmp(value_text_at(a, "reason"), value_text_at(b, "reason")) == 0 &&
	       strcmp(value_text_at(a, "address"), value_text_at(b, "address")) == 0;
}

static void show_changes(struct watch *w, struct value *now)
{
	for (size_t i = 0; i < value_count(now); i++) {
		const struct value *v = value_at(now, i);
		bool known = false;

		for (size_t k = 0; w->last && k < value_count(w->last); k++)
			known |= is_same(value_at(w->last, k), v);
		if (known)
			continue;
		if (opt.json)
			network_print_json(v);
		else
			print_line(v);
	}
	value_unref(w->last);
	w->last = now;
}

static void on_status_tick(struct loop_timer *t)
{
	struct watch *w = container_of(t, struct watch, timer);
	struct value *now;

	if (w->rt) {
		if (!opt.watch && !is_settled(w->rt) && loop_clock_ns() < w->deadline_ns) {
			loop_timer_start_ms(t, POLL_MS);
			return;
		}
		now = overlay_set_describe(w->rt->node.overlays);
	} else if (control_ask(w->state_dir, "network", &now, w->err) < 0) {
		w->code = -1;
		loop_stop(w->loop);
		return;
	}
	if (opt.watch) {
		show_changes(w, now);
		loop_timer_start_ms(t, WATCH_MS);
		return;
	}
	if (opt.json)
		network_print_json(now);
	else if (value_count(now) == 0)
		printf("The project has no network entries.\n");
	else
		print_table(now);
	value_unref(now);
	loop_stop(w->loop);
}

static void on_signal(void *arg, int signum)
{
	struct watch *w = arg;

	(void)signum;
	loop_stop(w->loop);
}

int network_status(const struct start *s, struct err *e)
{
	struct watch w = {.state_dir = s->config.state_dir, .err = e};
	struct value *answer;
	struct loop *own = NULL;
	uint64_t ms;

	if (network_read_timeout(STATUS_MS, &ms, e) < 0)
		return -1;
	if (control_ask(s->config.state_dir, "network", &answer, e) == 0) {
		value_unref(answer);
		w.loop = own = loop_new();
	} else if (e->kind != ERR_NOT_FOUND) {
		return -1;
	} else if (network_bring_up(s, NULL, &w.rt, e) == 0) {
		w.loop = runtime_loop(w.rt);
	} else {
		return -1;
	}
	w.deadline_ns = loop_clock_ns() + ms * 1000000;
	loop_timer_init(&w.timer, w.loop, on_status_tick);
	loop_timer_start_ms(&w.timer, 0);
	loop_watch_signals(w.loop, on_signal, &w);
	loop_run(w.loop);
	loop_timer_stop(&w.timer);
	value_unref(w.last);
	runtime_free(w.rt);
	loop_free(own);
	return w.code;
}
