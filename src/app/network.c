/*
 * network.c - `wippy network`: what the overlays of a project do, whether one reaches anything, and which way a connection would take.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/lists.h"
#include "app/network.h"
#include "base/alloc.h"
#include "base/duration.h"
#include "http/client.h"
#include "overlay/driver.h"
#include "service/control.h"
#include "service/runtime.h"
#include "value/json.h"

enum { STATUS_MS = 10000, CHECK_MS = 60000, POLL_MS = 100, WATCH_MS = 500 };

struct network_options network_opt;
#define opt network_opt

static const struct option *network_options(void)
{
	static const struct option table[] = {
		{"json", 0, OPTION_SWITCH, &opt.json, NULL, "print JSON"},
		{"watch", 'w', OPTION_SWITCH, &opt.watch, NULL, "status: go on, a line for each change, until SIGINT"},
		{"timeout", 't', OPTION_TEXT, &opt.timeout, "DURATION",
			"how long to wait (default: status 10s, check 60s)"},
		{"entry", 0, OPTION_TEXT, &opt.entry, "NS:NAME", "explain: the function or process that runs"},
		{"call", 0, OPTION_TEXT, &opt.call, "NETWORK",
			"explain: chosen by its caller, as in with_options({network = ...}); \"\" clears"},
		{"inherited", 0, OPTION_TEXT, &opt.inherited, "NETWORK", "explain: the network its caller runs under"},
		{"request", 0, OPTION_TEXT, &opt.request, "NETWORK", "explain: overlay_network of the request"},
		{"override", 'o', OPTION_LIST, &opt.overrides, "KEY=VALUE", "override an entry's field"},
		{"set", 0, OPTION_LIST, &opt.sets, "S.KEY=VALUE", "set a configuration value"},
		{"profile", 0, OPTION_LIST, &opt.profiles, "NAME", "lay a profile of the configuration over it"},
		{0},
	};

	return table;
}

int network_read(const struct cli_globals *g, struct start *ret, struct err *e)
{
	struct start_options so = {
		.globals = g,
		.sets = &opt.sets,
		.profiles = &opt.profiles,
		.overrides = &opt.overrides,
		.quiet = !g->verbose && !g->very_verbose && !g->console,
		.lock_required = true,
	};

	return start_read(&so, ret, e);
}

static int read_timeout(uint64_t default_ms, uint64_t *ret_ms, struct err *e)
{
	int64_t ns;

	*ret_ms = default_ms;
	if (!opt.timeout)
		return 0;
	if (duration_parse(opt.timeout, strlen(opt.timeout), &ns, NULL) < 0 || ns <= 0)
		return err_set(
			e, ERR_INVALID, "invalid --timeout \"%.100s\": expected a duration such as 30s", opt.timeout);
	*ret_ms = (uint64_t)ns / 1000000 + 1;
	return 0;
}

/* -- the project's overlays, brought up here ------------------------------------------------------- */

static bool is_network(const struct entry *e)
{
	return strncmp(e->kind, "network.", 8) == 0;
}

/* Overlays, and what their entries may refer to. */
static bool is_wanted(const struct entry *e, const char *only)
{
	if (is_network(e))
		return !only || strcmp(e->id, only) == 0;
	return strncmp(e->kind, "env.", 4) == 0 || strncmp(e->kind, "ns.", 3) == 0;
}

/* `only` NULL: all of them. No worker runs: everything happens on this thread's loop. */
static int bring_up(const struct start *s, const char *only, struct runtime **ret, struct err *e)
{
	const struct config *cfg = &s->config;
	struct runtime_config rc = {
		.kinds = &app_kinds,
		.modules = &app_modules,
		.drivers = app_drivers,
		.ndrivers = app_ndrivers,
		.workers = 1,
		.network_state_dir = cfg->state_dir,
		.network_sidecar = cfg->sidecar,
		.history = RUNTIME_HISTORY_NONE,
	};
	struct entry **entries = xcalloc(s->entries.count + 1, sizeof(*entries));
	struct runtime *rt;
	size_t n = 0;
	int rc_load;

	for (size_t i = 0; i < s->entries.count; i++) {
		if (is_wanted(s->entries.items[i], only))
			entries[n++] = s->entries.items[i];
	}
	if (runtime_new(&rc, &rt, e) < 0) {
		free(entries);
		return -1;
	}
	rc_load = runtime_load(rt, entries, n, e);
	free(entries);
	if (rc_load < 0) {
		runtime_free(rt);
		return -1;
	}
	*ret = rt;
	return 0;
}

/* -- showing ---------------------------------------------------------------------------------------- */

static const char *text_of(const struct value *v, const char *name)
{
	const struct value *field = value_get(v, name);

	return value_type(field) == VALUE_STRING ? value_get_string(field, NULL) : "";
}

static long long number_of(const struct value *v, const char *name)
{
	const struct value *field = value_get(v, name);

	return value_type(field) == VALUE_INT ? (long long)value_get_int(field) : 0;
}

static void print_json(const struct value *v)
{
	struct buf out = BUF_INIT;

	json_write(v, &out);
	printf("%s\n", buf_str(&out));
	buf_done(&out);
	fflush(stdout);
}

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
		int id = (int)strlen(text_of(value_at(list, i), "id"));
		int kind = (int)strlen(text_of(value_at(list, i), "kind"));

		id_width = id > id_width ? id : id_width;
		kind_width = kind > kind_width ? kind : kind_width;
	}
	printf("%-*s  %-*s  %-8s  %-19s  %6s  %6s  %s\n", id_width, "NETWORK", kind_width, "KIND", "STATE", "SINCE",
		"DIALS", "FAILED", "ADDRESS");
	for (size_t i = 0; i < value_count(list); i++) {
		const struct value *v = value_at(list, i);
		const struct value *listening = value_get(v, "listening");

		printf("%-*s  %-*s  %-8s  %-19s  %6lld  %6lld  %s\n", id_width, text_of(v, "id"), kind_width,
			text_of(v, "kind"), text_of(v, "state"), clock_text(number_of(v, "since"), since),
			number_of(v, "dials"), number_of(v, "dials_failed"), text_of(v, "address"));
		if (text_of(v, "reason")[0])
			printf("%*s  %s\n", id_width, "", text_of(v, "reason"));
		for (size_t k = 0; k < value_count(listening); k++)
			printf("%*s  %s listens at %s\n", id_width, "", text_of(value_at(listening, k), "service"),
				text_of(value_at(listening, k), "address"));
	}
}

static void print_line(const struct value *v)
{
	char now[32];

	printf("%s  %s  %s%s%s%s%s\n", clock_text((long long)time(NULL) * 1000, now), text_of(v, "id"),
		text_of(v, "state"), text_of(v, "address")[0] ? "  " : "", text_of(v, "address"),
		text_of(v, "reason")[0] ? "  " : "", text_of(v, "reason"));
	fflush(stdout);
}

/* -- status ------------------------------------------------------------------------------------------ */

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
	return strcmp(text_of(a, "id"), text_of(b, "id")) == 0 &&
	       strcmp(text_of(a, "state"), text_of(b, "state")) == 0 &&
	       strcmp(text_of(a, "reason"), text_of(b, "reason")) == 0 &&
	       strcmp(text_of(a, "address"), text_of(b, "address")) == 0;
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
			print_json(v);
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
		print_json(now);
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

static int status(const struct start *s, struct err *e)
{
	struct watch w = {.state_dir = s->config.state_dir, .err = e};
	struct value *answer;
	struct loop *own = NULL;
	uint64_t ms;

	if (read_timeout(STATUS_MS, &ms, e) < 0)
		return -1;
	if (control_ask(s->config.state_dir, "network", &answer, e) == 0) {
		value_unref(answer);
		w.loop = own = loop_new();
	} else if (e->kind != ERR_NOT_FOUND) {
		return -1;
	} else if (bring_up(s, NULL, &w.rt, e) == 0) {
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

/* -- check ------------------------------------------------------------------------------------------- */

struct check {
	struct loop *loop;
	struct overlay *overlay;
	struct http_client *client;
	struct http_call *call;
	struct dial *dial;
	struct loop_timer timer;
	struct loop_timer limit;
	const char *url;
	char *host; /* of tcp://host:port */
	uint16_t port;
	uint64_t begun_ns, deadline_ns;
	bool failed, timed_out;
	int http_status;
	struct http_trace trace;
	struct err err;
};

static void check_over(struct check *c, const struct err *e)
{
	c->failed = e != NULL;
	if (e) {
		c->err = *e;
		c->timed_out = e->kind == ERR_TIMEOUT || (e->code && strstr(e->code, "timeout"));
	}
	loop_stop(c->loop);
}

static void on_answer(void *arg, const struct http_response *r, const struct err *e)
{
	struct check *c = arg;

	http_call_trace(c->call, &c->trace);
	c->call = NULL;
	if (r)
		c->http_status = r->status;
	check_over(c, e);
}

static void on_dialled(void *arg, int fd, const struct dial_trace *t, const struct err *e)
{
	struct check *c = arg;

	c->dial = NULL;
	c->trace = (struct http_trace){
		.resolver = t->resolver,
		.phase = fd >= 0           ? "done"
			 : t->connected_ns ? "handshake"
					   : "dial",
		.dial_ns = t->connected_ns ? t->connected_ns - t->begun_ns : 0,
		.handshake_ns = t->ready_ns > t->connected_ns && t->connected_ns ? t->ready_ns - t->connected_ns : 0,
		.total_ns = loop_clock_ns() - t->begun_ns,
	};
	if (fd >= 0)
		close(fd);
	check_over(c, e);
}

static void begin_check(struct check *c)
{
	uint64_t now_ns = loop_clock_ns(), left_ns = c->deadline_ns > now_ns ? c->deadline_ns - now_ns : 1;
	struct dial_options dial = {
		.loop = c->loop,
		.overlay = c->overlay,
		.host = c->host,
		.port = c->port,
		.deadline_ns = c->deadline_ns,
	};
	struct http_request req = {
		.method = "GET", .url = c->url, .timeout_ns = left_ns, .overlay = c->overlay, .stream = false};

	if (c->host)
		c->dial = overlay_dial(&dial, on_dialled, c);
	else
		c->call = http_client_start(c->client, &req, on_answer, c);
}

/* Without a target: is it up? With one: dial as soon as it is, or could be. */
static void on_check_tick(struct loop_timer *t)
{
	struct check *c = container_of(t, struct check, timer);
	struct overlay_status st;

	overlay_get_status(c->overlay, &st);
	if (c->url && (st.state != OVERLAY_STARTING || !overlay_keeps_session(c->overlay))) {
		begin_check(c);
	} else if (!c->url && st.state != OVERLAY_STARTING) {
		loop_stop(c->loop);
	} else if (loop_clock_ns() >= c->deadline_ns) {
		c->timed_out = true;
		loop_stop(c->loop);
	} else {
		loop_timer_start_ms(t, POLL_MS);
	}
}

static int read_target(struct check *c, struct err *e)
{
	const char *text = c->url, *colon;
	char *end;
	long port;

	if (!text || strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0)
		return 0;
	colon = strrchr(text, ':');
	port = colon ? strtol(colon + 1, &end, 10) : 0;
	if (strncmp(text, "tcp://", 6) != 0 || colon == text + 3 || port < 1 || port > 65535 || *end)
		return err_set(e, ERR_INVALID,
			"cannot check \"%.200s\": expected http://..., https://... or tcp://HOST:PORT", text);
	text += 6;
	c->host = xmemdupz(text, (size_t)(colon - text));
	c->port = (uint16_t)port;
	return 0;
}

static int check_code(const struct check *c, const struct overlay_status *st)
{
	if (!c->url)
		return st->state == OVERLAY_READY || st->state == OVERLAY_DEGRADED ? EXIT_OK
		       : st->state == OVERLAY_DOWN                                 ? NETWORK_EXIT_DOWN
										   : NETWORK_EXIT_TIMEOUT;
	if (!c->failed && !c->timed_out)
		return EXIT_OK;
	if (st->state == OVERLAY_DOWN)
		return NETWORK_EXIT_DOWN;
	return c->timed_out ? NETWORK_EXIT_TIMEOUT : NETWORK_EXIT_TARGET;
}

static void set_ms(struct value *v, const char *name, uint64_t ns)
{
	if (ns)
		value_map_set(v, name, value_float((double)ns / 1e6));
}

static struct value *check_result(const struct check *c, int code)
{
	struct value *v = overlay_describe(c->overlay);

	value_map_set(v, "ok", value_bool(code == EXIT_OK));
	value_map_set(v, "isolation", value_cstring(overlay_isolation_name(c->overlay)));
	if (!c->url)
		return v;
	value_map_set(v, "target", value_cstring(c->url));
	if (c->trace.resolver)
		value_map_set(v, "resolver", value_cstring(c->trace.resolver));
	if (c->trace.phase)
		value_map_set(v, "phase", value_cstring(c->trace.phase));
	if (c->http_status)
		value_map_set(v, "status", value_int(c->http_status));
	if (c->failed) {
		value_map_set(v, "error", value_cstring(c->err.text));
		if (c->err.code)
			value_map_set(v, "code", value_cstring(c->err.code));
	}
	set_ms(v, "dial_ms", c->trace.dial_ns);
	set_ms(v, "handshake_ms", c->trace.handshake_ns);
	set_ms(v, "tls_ms", c->trace.tls_ns);
	set_ms(v, "first_byte_ms", c->trace.first_byte_ns);
	set_ms(v, "total_ms", c->trace.total_ns);
	return v;
}

static void print_phase(const struct value *v, const char *name, const char *label)
{
	const struct value *ms = value_get(v, name);

	if (value_type(ms) == VALUE_FLOAT)
		printf("%-11s %9.1f ms\n", label, value_get_float(ms));
}

static void print_check(const struct value *v)
{
	char line[64];

	printf("%-11s %s (%s)\n", "network", text_of(v, "id"), text_of(v, "kind"));
	snprintf(line, sizeof(line), "%s", text_of(v, "state"));
	printf("%-11s %s%s%s\n", "state", line, text_of(v, "reason")[0] ? ": " : "", text_of(v, "reason"));
	if (text_of(v, "address")[0])
		printf("%-11s %s\n", "address", text_of(v, "address"));
	printf("%-11s %s\n", "isolation", text_of(v, "isolation"));
	if (!text_of(v, "target")[0])
		return;
	printf("%-11s %s\n", "target", text_of(v, "target"));
	if (text_of(v, "resolver")[0])
		printf("%-11s %s\n", "resolver", text_of(v, "resolver"));
	print_phase(v, "dial_ms", "dial");
	print_phase(v, "handshake_ms", "handshake");
	print_phase(v, "tls_ms", "tls");
	print_phase(v, "first_byte_ms", "first byte");
	print_phase(v, "total_ms", "total");
	if (text_of(v, "error")[0])
		printf("%-11s %s: %s\n", "failed in", text_of(v, "phase"), text_of(v, "error"));
	else if (number_of(v, "status"))
		printf("%-11s %lld\n", "status", number_of(v, "status"));
	else
		printf("%-11s connected\n", "result");
}

static int check_overlay(struct runtime *rt, struct check *c, struct err *e)
{
	static const struct http_client_config client = {
		.timeout_ms = CHECK_MS, .idle_ms = 1000, .idle_max = 1, .idle_per_host_max = 1};
	struct overlay_status st;
	struct value *v;
	int code;

	if (read_target(c, e) < 0)
		return -1;
	c->loop = runtime_loop(rt);
	c->client = http_client_new(c->loop, &client);
	loop_timer_init(&c->timer, c->loop, on_check_tick);
	loop_timer_start_ms(&c->timer, 0);
	loop_run(c->loop);
	loop_timer_stop(&c->timer);
	http_client_free(c->client);
	overlay_get_status(c->overlay, &st);
	code = check_code(c, &st);
	v = check_result(c, code);
	if (opt.json)
		print_json(v);
	else
		print_check(v);
	value_unref(v);
	free(c->host);
	return code;
}

static int check(const struct start *s, const char *id, const char *url, struct err *e)
{
	struct check c = {.url = url};
	struct runtime *rt;
	uint64_t ms;
	int code;

	if (read_timeout(CHECK_MS, &ms, e) < 0)
		return -1;
	if (bring_up(s, id, &rt, e) < 0)
		return -1;
	c.overlay = overlay_set_get(rt->node.overlays, id);
	if (!c.overlay) {
		runtime_free(rt);
		return err_set(e, ERR_NOT_FOUND, "network not found: %.256s; `wippy network status` lists them", id);
	}
	/* A proxy keeps no session: there is nothing to see before something dials. */
	if (!url && !overlay_keeps_session(c.overlay)) {
		overlay_unref(c.overlay);
		runtime_free(rt);
		return err_set(e, ERR_INVALID,
			"%.256s keeps no session of its own: name a target to dial, as in "
			"`wippy network check %.256s http://example.com/`",
			id, id);
	}
	c.deadline_ns = loop_clock_ns() + ms * 1000000;
	code = check_overlay(rt, &c, e);
	overlay_unref(c.overlay);
	runtime_free(rt);
	return code;
}

/* -- the command ------------------------------------------------------------------------------------- */

static int network_run(const struct cli_globals *g, int argc, char **argv, struct err *e)
{
	const char *what = argc > 0 ? argv[0] : "";
	struct start s = {0};
	int code = -1;

	if (strcmp(what, "status") == 0 && argc == 1) {
		if (network_read(g, &s, e) == 0)
			code = status(&s, e);
	} else if (strcmp(what, "check") == 0 && (argc == 2 || argc == 3)) {
		if (network_read(g, &s, e) == 0)
			code = check(&s, argv[1], argc == 3 ? argv[2] : NULL, e);
	} else if (strcmp(what, "explain") == 0 && argc <= 2) {
		if (network_read(g, &s, e) == 0)
			code = network_explain(&s, argc == 2 ? argv[1] : NULL, e);
	} else {
		err_set(e, ERR_INVALID, "say `wippy network status`, `check NETWORK [TARGET]` or `explain [TARGET]`");
	}
	start_done(&s);
	option_list_done(&opt.overrides);
	option_list_done(&opt.sets);
	option_list_done(&opt.profiles);
	return code;
}

const struct command network_command = {
	.name = "network",
	.arguments = "status | check NETWORK [TARGET] | explain [TARGET]",
	.summary = "Show the overlays, try one, or explain which way a connection takes",
	.details =
		"status   Asks the program that runs with this project's state directory; when none does, brings the\n"
		"         project's overlays up here, waits until each is ready, degraded or down, or --timeout, and\n"
		"         takes them down again. An overlay without a session of its own (socks5) is \"starting\" "
		"until\n"
		"         something dials.\n"
		"check    Brings NETWORK up here and dials TARGET through it: http://..., https://... (a GET) or\n"
		"         tcp://HOST:PORT; tells the times of each phase. Without TARGET: waits until it is up.\n"
		"explain  Sends nothing: tells which network a connection to TARGET (a host) takes, who chose it, who\n"
		"         resolves the name, and who shares the connection's identity.\n"
		"\n"
		"  wippy network explain example.com --entry app:scrape --call app:tor\n"
		"\n"
		"Exit codes: 0 reached (explain: there is a way), 1 an error, 3 the network is down, 4 the network "
		"works but\n"
		"the target was not reached (explain: it would be refused), 5 time was up.\n",
	.options = network_options,
	.run = network_run,
};
