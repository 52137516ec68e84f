/*
 * network_check.c - `wippy network check`: one overlay brought up, and a target dialled through it, or its own proxy or bridge greeted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/network.h"
#include "base/alloc.h"
#include "http/client.h"
#include "overlay/driver.h"
#include "service/runtime.h"

#define opt network_opt

enum { CHECK_MS = 60000, POLL_MS = 100 };

struct check {
	struct loop *loop;
	struct overlay *overlay;
	struct http_client *client;
	struct http_call *call;
	struct dial *dial;
	struct probe *probe;
	bool probed;
	struct probe_result greeting; /* once probed */
	struct loop_timer timer;
	const char *url;
	char *host; /* of tcp://host:port */
	uint16_t port;
	uint64_t deadline_ns;
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

static void on_probed(void *arg, const struct probe_result *r, const struct err *e)
{
	struct check *c = arg;

	c->probe = NULL;
	c->greeting = *r;
	c->trace = (struct http_trace){
		.phase = !e              ? "done"
			 : r->connect_ns ? "handshake"
					 : "dial",
		.dial_ns = r->connect_ns,
		.handshake_ns = r->handshake_ns,
		.total_ns = r->connect_ns + r->handshake_ns,
	};
	check_over(c, e);
}

static void begin_probe(struct check *c)
{
	struct probe_options probe = {.loop = c->loop, .overlay = c->overlay, .deadline_ns = c->deadline_ns};

	c->probed = true;
	c->probe = overlay_probe(&probe, on_probed, c);
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

/* As soon as it is up, or could be: dial the target; without one, greet its proxy or bridge. */
static void on_check_tick(struct loop_timer *t)
{
	struct check *c = container_of(t, struct check, timer);
	struct overlay_status st;

	overlay_get_status(c->overlay, &st);
	if (st.state == OVERLAY_STARTING && overlay_keeps_session(c->overlay)) {
		if (loop_clock_ns() < c->deadline_ns) {
			loop_timer_start_ms(t, POLL_MS);
			return;
		}
		c->timed_out = true;
		loop_stop(c->loop);
	} else if (c->url) {
		begin_check(c);
	} else if (overlay_can_probe(c->overlay)) {
		begin_probe(c);
	} else {
		loop_stop(c->loop);
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
	if (c->timed_out && !(c->url && st->state == OVERLAY_DOWN))
		return NETWORK_EXIT_TIMEOUT;
	if (st->state == OVERLAY_DOWN && (c->failed || c->timed_out || !c->url))
		return NETWORK_EXIT_DOWN;
	if (!c->failed)
		return EXIT_OK;
	return c->url ? NETWORK_EXIT_TARGET : NETWORK_EXIT_DOWN;
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
	if (!c->url && !c->probed)
		return v;
	if (c->url)
		value_map_set(v, "target", value_cstring(c->url));
	if (c->greeting.method[0])
		value_map_set(v, "method", value_cstring(c->greeting.method));
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

	printf("%-11s %s (%s)\n", "network", value_text_at(v, "id"), value_text_at(v, "kind"));
	snprintf(line, sizeof(line), "%s", value_text_at(v, "state"));
	printf("%-11s %s%s%s\n", "state", line, value_text_at(v, "reason")[0] ? ": " : "", value_text_at(v, "reason"));
	if (value_text_at(v, "address")[0])
		printf("%-11s %s\n", "address", value_text_at(v, "address"));
	printf("%-11s %s\n", "isolation", value_text_at(v, "isolation"));
	if (!value_text_at(v, "target")[0] && !value_text_at(v, "phase")[0])
		return;
	if (value_text_at(v, "target")[0])
		printf("%-11s %s\n", "target", value_text_at(v, "target"));
	if (value_text_at(v, "resolver")[0])
		printf("%-11s %s\n", "resolver", value_text_at(v, "resolver"));
	print_phase(v, "dial_ms", "dial");
	print_phase(v, "handshake_ms", "handshake");
	print_phase(v, "tls_ms", "tls");
	print_phase(v, "first_byte_ms", "first byte");
	print_phase(v, "total_ms", "total");
	if (value_text_at(v, "error")[0])
		printf("%-11s %s: %s\n", "failed in", value_text_at(v, "phase"), value_text_at(v, "error"));
	else if (network_number(v, "status"))
		printf("%-11s %lld\n", "status", network_number(v, "status"));
	else if (value_text_at(v, "method")[0])
		printf("%-11s %s\n", "method", value_text_at(v, "method"));
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
		network_print_json(v);
	else
		print_check(v);
	value_unref(v);
	free(c->host);
	return code;
}

int network_check(const struct start *s, const char *id, const char *url, struct err *e)
{
	struct check c = {.url = url};
	struct runtime *rt;
	uint64_t ms;
	int code;

	if (network_read_timeout(CHECK_MS, &ms, e) < 0)
		return -1;
	if (network_bring_up(s, id, &rt, e) < 0)
		return -1;
	c.overlay = overlay_set_get(rt->node.overlays, id);
	if (!c.overlay) {
		runtime_free(rt);
		return err_set(e, ERR_NOT_FOUND, "network not found: %.256s; `wippy network status` lists them", id);
	}
	c.deadline_ns = loop_clock_ns() + ms * 1000000;
	code = check_overlay(rt, &c, e);
	overlay_unref(c.overlay);
	runtime_free(rt);
	return code;
}
