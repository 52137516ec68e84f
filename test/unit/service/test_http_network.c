/*
 * http.service behind an overlay, with a driver of this test's own whose "network" is a loopback port: bound means running, who the peer is reaches the handler, a listener
 * that is lost comes back, and what is refused is refused in the right words.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app_run.h"

#include "actor/service_table.h"
#include "overlay/driver.h"

/* -- the driver -------------------------------------------------------------------------------------- */

static struct {
	atomic_int port;     /* of the listener, 0: there is none */
	atomic_uint listens; /* that were begun */
	atomic_bool lose;    /* the next look loses the listener */
	atomic_bool vouches; /* for its peers */
	atomic_uint started, stopped, closed;
	bool refuses, issues_tls;
	uint16_t asked_port;
	bool asked_tls;
	char asked_option[32];
} net;

static int fake_open(const struct value *data, struct overlay **ret_overlay, struct err *e)
{
	(void)data;
	(void)e;
	*ret_overlay = xcalloc(1, sizeof(**ret_overlay));
	return 0;
}

static struct dial *fake_dial(struct overlay *o, const struct dial_options *opt)
{
	struct err e;

	(void)o;
	err_set(&e, ERR_UNAVAILABLE, "fake: nowhere to go");
	return dial_new_failed(opt, &e);
}

static void fake_cancel(struct dial *d)
{
	(void)d;
}

static void fake_close(struct overlay *o)
{
	atomic_fetch_add(&net.closed, 1);
	free(o);
}

static int fake_start(struct overlay *o, struct err *e)
{
	(void)e;
	atomic_fetch_add(&net.started, 1);
	overlay_set_state(o, OVERLAY_READY, "%s", "");
	return 0;
}

static void fake_stop(struct overlay *o)
{
	(void)o;
	atomic_fetch_add(&net.stopped, 1);
}

struct fake_listener {
	struct listener base;
	struct loop_timer look;
	struct loop_poll *poll;
	int fd;
	bool is_ready;
};

static void fake_accept(void *arg, int events)
{
	struct fake_listener *l = arg;
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct value *who = NULL;

	(void)events;
	if (fd < 0)
		return;
	if (atomic_load(&net.vouches)) {
		who = value_map();
		value_map_set(who, "login", value_cstring("ann@example.com"));
		value_map_set(who, "node", value_cstring("laptop"));
	}
	struct listen_peer peer = {.address = "100.64.0.9:4711", .identity = who};

	listener_accept(&l->base, fd, &peer);
	value_unref(who);
}

static void fake_look(struct loop_timer *t)
{
	struct fake_listener *l = container_of(t, struct fake_listener, look);
	struct err e;

	if (atomic_exchange(&net.lose, false)) {
		err_set(&e, ERR_UNAVAILABLE, "fake: the line is cut");
		err_retryable(&e);
		listener_failed(&l->base, &e);
		return;
	}
	if (!l->is_ready) {
		l->is_ready = true;
		l->poll = loop_poll_new(l->base.overlay->env->control, l->fd, LOOP_READ, fake_accept, l);
		listener_ready(&l->base, "fake.example:80");
	}
	loop_timer_start_ms(t, 5);
}

static struct listener *fake_listen(struct overlay *o, const struct listen_options *opt)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct value *v = value_get(opt->options, "colour");
	socklen_t len = sizeof(in);
	struct fake_listener *l;
	struct err e;

	net.asked_port = opt->port;
	net.asked_tls = opt->tls;
	snprintf(net.asked_option, sizeof(net.asked_option), "%s", v ? value_get_string(v, NULL) : "");
	atomic_fetch_add(&net.listens, 1);
	if (net.refuses) {
		err_set(&e, ERR_INVALID, "fake: no room");
		return listener_new_failed(opt, &e);
	}
	l = xcalloc(1, sizeof(*l));
	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(l->fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(l->fd, 16), 0);
	assert_int_equal(getsockname(l->fd, (struct sockaddr *)&in, &len), 0);
	atomic_store(&net.port, ntohs(in.sin_port));
	loop_timer_init(&l->look, o->env->control, fake_look);
	loop_timer_start_ms(&l->look, 30);
	return &l->base;
}

static void fake_unlisten(struct listener *base)
{
	struct fake_listener *l = container_of(base, struct fake_listener, base);

	atomic_store(&net.port, 0);
	loop_poll_free(l->poll);
	loop_timer_stop(&l->look);
	close(l->fd);
	free(l);
}

#define FAKE_DRIVER                                                                                           \
	.kind = "network.fake", .label = "fake", .open = fake_open, .dial = fake_dial, .cancel = fake_cancel, \
	.close = fake_close, .start = fake_start, .stop = fake_stop

static const struct overlay_driver fake_driver = {FAKE_DRIVER, .listen = fake_listen, .unlisten = fake_unlisten};
static const struct overlay_driver tls_driver = {
	FAKE_DRIVER, .listen = fake_listen, .unlisten = fake_unlisten, .issues_tls = true};
static const struct overlay_driver deaf_driver = {FAKE_DRIVER, .no_listen = "it has no ears"};

/* -- a program ---------------------------------------------------------------------------------------- */

#define APP                                                                                         \
	"- {name: processes, kind: process.host, lifecycle: {auto_start: true}}\n"                  \
	"- {name: web, kind: http.service, network: 'app:net', network_options: {colour: green},\n" \
	"   lifecycle: {auto_start: true, start_timeout: 2s, restart: {initial_delay: 20ms, max_delay: 50ms}},\n"
#define ROUTES                                                                                                        \
	"- {name: api, kind: http.router, meta: {server: 'app:web'}, prefix: /,\n"                                    \
	"   middleware: [network_identity], options: {network_identity.prefix: 'tail:'}}\n"                           \
	"- {name: who.http, kind: http.endpoint, meta: {router: 'app:api'}, method: GET, path: /who, func: "          \
	"'app:who'}\n"                                                                                                \
	"- {name: strict, kind: http.router, meta: {server: 'app:web'}, prefix: /strict,\n"                           \
	"   middleware: [network_identity], options: {network_identity.groups: 'app:nobody'}}\n"                      \
	"- {name: strict.http, kind: http.endpoint, meta: {router: 'app:strict'}, method: GET, path: /who, func: "    \
	"'app:who'}\n"                                                                                                \
	"- name: who\n"                                                                                               \
	"  kind: function.lua\n"                                                                                      \
	"  method: main\n"                                                                                            \
	"  modules: [http, security]\n"                                                                               \
	"  source: |\n"                                                                                               \
	"    local http = require('http')\n"                                                                          \
	"    local security = require('security')\n"                                                                  \
	"    return { main = function()\n"                                                                            \
	"      local req, res = http.request(), http.response()\n"                                                    \
	"      local peer, actor = req:peer_identity(), security.actor()\n"                                           \
	"      res:write(req:remote_addr() .. ' ' .. (peer and peer.node or '-') .. ' ' .. (actor and actor:id() or " \
	"'-') .. ' ' .. (security.scope() and 'bound' or 'free'))\n"                                                  \
	"    end }\n"

struct trial {
	struct runtime *rt;
	struct entry *entries[APP_ENTRIES_MAX];
	size_t nentries;
	pthread_t thread;
	void (*script)(struct trial *p);
};

static void *run_script(void *arg)
{
	struct trial *p = arg;

	p->script(p);
	runtime_request_stop(p->rt, 0);
	return NULL;
}

static void run_program(const struct overlay_driver *driver, const char *server, void (*script)(struct trial *p))
{
	static struct kind network_kind;
	static const struct kind *const kinds[] = {&function_lua_kind, &http_endpoint_kind, &http_router_kind,
		&http_service_kind, &network_kind, &process_host_kind};
	static const struct kind_list list = {kinds, ARRAY_LEN(kinds)};
	static const struct module modules[] = {
		{"http", bind_http_open, false},
		{"security", bind_security_open, false},
	};
	static const struct module_list module_list = {modules, ARRAY_LEN(modules)};
	const struct overlay_driver *const drivers[] = {driver};
	struct runtime_config cfg = {.kinds = &list,
		.modules = &module_list,
		.drivers = drivers,
		.ndrivers = 1,
		.workers = 2,
		.history = RUNTIME_HISTORY_NONE};
	struct trial p = {.script = script};
	struct err e;

	network_kind = network_socks5_kind;
	network_kind.name = "network.fake";
	atomic_store(&net.listens, 0);
	atomic_store(&net.started, 0);
	atomic_store(&net.stopped, 0);
	atomic_store(&net.closed, 0);
	app_entries("- {name: net, kind: network.fake}\n", p.entries, &p.nentries);
	app_entries(server, p.entries, &p.nentries);
	assert_int_equal(runtime_new(&cfg, &p.rt, &e), 0);
	if (runtime_load(p.rt, p.entries, p.nentries, &e) < 0)
		fail_msg("%s", e.text);
	runtime_start(p.rt);
	assert_int_equal(pthread_create(&p.thread, NULL, run_script, &p), 0);
	runtime_run(p.rt);
	pthread_join(p.thread, NULL);
	runtime_free(p.rt);
	for (size_t i = 0; i < p.nentries; i++)
		entry_unref(p.entries[i]);
	assert_int_equal(atomic_load(&net.started), 1);
	assert_int_equal(atomic_load(&net.stopped), 1);
	assert_int_equal(atomic_load(&net.closed), 1);
	assert_int_equal(atomic_load(&net.port), 0);
}

/* Wait until the service says that; its details into `details`. */
static void wait_for_state(struct trial *p, const char *state, char details[static 1200])
{
	struct service_status st = {0};

	for (int i = 0; i < 2000; i++) {
		bool known = service_table_get(p->rt->node.services, "app:web", &st);
		bool is = known && strcmp(st.status, state) == 0;

		if (known) {
			snprintf(details, 1200, "%s", st.details ? st.details : "");
			service_status_done(&st);
		}
		if (is)
			return;
		usleep(5000);
	}
	fail_msg("app:web never was %s: %s", state, details);
}

/* The body of an answer; "" when there is none. */
static void get_who(const char *path, char out[static 256])
{
	char request[128];
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval limit = {.tv_sec = 10};
	char all[4096] = "", *body;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t len = 0;
	ssize_t n;

	out[0] = '\0';
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: fake\r\nConnection: close\r\n\r\n", path);
	in.sin_port = htons((uint16_t)atomic_load(&net.port));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0 &&
		send(fd, request, strlen(request), MSG_NOSIGNAL) > 0) {
		while (len < sizeof(all) - 1 && (n = recv(fd, all + len, sizeof(all) - 1 - len, 0)) > 0)
			len += (size_t)n;
	}
	close(fd);
	all[len] = '\0';
	body = strstr(all, "\r\n\r\n");
	if (body)
		snprintf(out, 256, "%.255s", body + 4);
}

/* Where the service listens, as whoever asks is told. */
static void told_address(struct trial *p, char out[static 64])
{
	struct value *all = overlay_set_describe(p->rt->node.overlays);
	const struct value *listening = value_get(value_at(all, 0), "listening");

	out[0] = '\0';
	if (value_count(listening) > 0) {
		const struct value *l = value_at(listening, 0);

		assert_string_equal(value_get_string(value_get(l, "service"), NULL), "app:web");
		snprintf(out, 64, "%s", value_get_string(value_get(l, "address"), NULL));
	}
	value_unref(all);
}

/* -- it runs ------------------------------------------------------------------------------------------ */

static void serve(struct trial *p)
{
	char text[1200];

	wait_for_state(p, "running", text);
	assert_int_equal(net.asked_port, 8080);
	assert_string_equal(net.asked_option, "green");
	assert_false(net.asked_tls);
	told_address(p, text);
	assert_string_equal(text, "fake.example:80");
	atomic_store(&net.vouches, false);
	get_who("/who", text);
	assert_non_null(strstr(text, "100.64.0.9:4711 - - free"));
	atomic_store(&net.vouches, true);
	get_who("/who", text);
	assert_non_null(strstr(text, "100.64.0.9:4711 laptop tail:ann@example.com free"));
	/* Named groups that are not there allow nothing; an actor without a scope could do everything. */
	get_who("/strict/who", text);
	assert_non_null(strstr(text, "100.64.0.9:4711 laptop peer:ann@example.com bound"));
}

static void test_requests_through_a_network(void **state)
{
	(void)state;
	run_program(&fake_driver, APP "   addr: ':8080'}\n" ROUTES, serve);
}

static void lose_and_serve(struct trial *p)
{
	char text[1200];

	wait_for_state(p, "running", text);
	for (unsigned round = 1; round <= 3; round++) {
		assert_int_equal(atomic_load(&net.listens), round);
		atomic_store(&net.lose, true);
		for (int i = 0; i < 2000 && atomic_load(&net.listens) == round; i++)
			usleep(5000);
		wait_for_state(p, "running", text);
		get_who("/who", text);
		assert_non_null(strstr(text, "100.64.0.9:4711"));
	}
}

static void test_a_lost_listener_comes_back(void **state)
{
	(void)state;
	run_program(&fake_driver, APP "   addr: ':8080'}\n" ROUTES, lose_and_serve);
}

static void stop_at_once(struct trial *p)
{
	(void)p;
	usleep(10000); /* the listener is not ready yet */
}

static void test_a_stop_before_it_is_ready(void **state)
{
	(void)state;
	run_program(&fake_driver, APP "   addr: ':8080'}\n", stop_at_once);
}

/* -- it is refused ------------------------------------------------------------------------------------ */

static const char *expected;

static void be_refused(struct trial *p)
{
	char text[1200];

	wait_for_state(p, "exited", text);
	assert_string_equal(text, expected);
	told_address(p, text);
	assert_string_equal(text, "");
}

static void test_refusals(void **state)
{
	(void)state;
	expected = "overlay listen failed: app:net: fake: operation not supported (it has no ears): network: operation "
		   "not supported by this provider";
	run_program(&deaf_driver, APP "   addr: ':8080'}\n", be_refused);
	expected = "overlay listen failed: app:net: fake: no room";
	net.refuses = true;
	run_program(&fake_driver, APP "   addr: ':8080'}\n", be_refused);
	net.refuses = false;
	expected = "network driver does not support auto TLS: app:net";
	run_program(&fake_driver, APP "   addr: ':443', tls: {mode: auto}}\n", be_refused);
	expected = "listen web.example:80: host part must be empty or IP literal";
	run_program(&fake_driver, APP "   addr: 'web.example:80'}\n", be_refused);
}

static void serve_tls(struct trial *p)
{
	char text[1200];

	wait_for_state(p, "running", text);
	assert_int_equal(net.asked_port, 443);
	assert_true(net.asked_tls);
}

static void test_the_driver_may_end_tls(void **state)
{
	(void)state;
	run_program(&tls_driver, APP "   addr: ':443', tls: {mode: auto}}\n" ROUTES, serve_tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_through_a_network),
		cmocka_unit_test(test_a_lost_listener_comes_back),
		cmocka_unit_test(test_a_stop_before_it_is_ready),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_the_driver_may_end_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
