/*
 * network_explain.c - `wippy network explain`: the way a connection would take, from the entries and the configuration alone; nothing is sent, nothing is started.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actor/frame.h"
#include "app/lists.h"
#include "app/network.h"
#include "base/alloc.h"
#include "http/url.h"
#include "overlay/driver.h"

#define opt network_opt

static const struct entry *find_entry(const struct start *s, const char *id)
{
	for (size_t i = 0; i < s->entries.count; i++) {
		if (strcmp(s->entries.items[i]->id, id) == 0)
			return s->entries.items[i];
	}
	return NULL;
}

static const struct overlay_driver *find_driver(const char *kind)
{
	for (size_t i = 0; i < app_ndrivers; i++) {
		if (strcmp(app_drivers[i]->kind, kind) == 0)
			return app_drivers[i];
	}
	return NULL;
}

/* meta.options.network of --entry; NULL: it says nothing. */
static int entry_network(const struct start *s, const char **ret, struct err *e)
{
	const struct entry *en;
	const struct value *v;

	*ret = NULL;
	if (!opt.entry)
		return 0;
	en = find_entry(s, opt.entry);
	if (!en)
		return err_set(e, ERR_NOT_FOUND, "entry not found: %.256s", opt.entry);
	v = value_path(en->meta, "options.network");
	if (value_type(v) == VALUE_STRING)
		*ret = value_get_string(v, NULL);
	return 0;
}

/* The frame's choice, and over it the request's. */
static int choose(const struct start *s, struct frame_network *ret, struct err *e)
{
	struct frame caller = {.overlay = opt.inherited ? opt.inherited : "", .chosen_by = FRAME_CALL};
	const char *entry;

	if (entry_network(s, &entry, e) < 0)
		return -1;
	*ret = frame_choose_network(&caller, opt.call, entry, s->config.default_network);
	if (opt.request && *opt.request)
		*ret = (struct frame_network){opt.request, FRAME_CALL, true};
	return 0;
}

static void set(struct value *v, const char *name, const char *text)
{
	value_map_set(v, name, value_cstring(text));
}

/* Why the clear network refuses it, or NULL. */
static const char *refusal_of_direct(const char *host)
{
	return host && host_is_overlay_only(host)
		       ? "the clear network never looks up .onion and .i2p: choose an overlay for it"
		       : NULL;
}

static const char *refuse(const struct start *s, const struct frame_network *net, const char *host, struct value *v)
{
	const struct entry *en = find_entry(s, net->overlay);
	const struct overlay_driver *drv = en ? find_driver(en->kind) : NULL;
	struct overlay stub = {0};
	struct addr a;
	struct err e;

	if (!en || strncmp(en->kind, "network.", 8) != 0)
		return "network: service not found";
	if (!drv)
		return "unsupported network kind";
	set(v, "kind", en->kind);
	set(v, "resolver", host && addr_from_literal(host, 1, &a) ? "none" : drv->resolver ? drv->resolver : "overlay");
	if (overlay_read_isolation(en->data, &stub, &e) < 0)
		return "its entry is not valid: see `wippy lint`";
	set(v, "isolation", overlay_isolation_name(&stub));
	return NULL;
}

static struct value *explain(
	const struct start *s, const struct frame_network *net, const char *target, const char *host)
{
	bool direct = !*net->overlay || strcmp(net->overlay, FRAME_DIRECT) == 0;
	struct value *v = value_map();
	const char *why;
	struct addr a;

	if (target)
		set(v, "target", target);
	set(v, "overlay", direct ? FRAME_DIRECT : net->overlay);
	set(v, "chosen_by", net->chosen_by == FRAME_NOBODY ? FRAME_DIRECT : frame_chooser_name(net->chosen_by));
	if (direct) {
		why = refusal_of_direct(host);
		set(v, "resolver", why || (host && addr_from_literal(host, 1, &a)) ? "none" : "system");
		set(v, "isolation", overlay_isolation_name(NULL));
	} else {
		why = refuse(s, net, host, v);
	}
	value_map_set(v, "ok", value_bool(!why));
	if (why)
		set(v, "refused", why);
	return v;
}

static const char *chosen_in_words(const char *chosen_by)
{
	static const char *const words[][2] = {
		{"call", "the call itself names it"},
		{"entry", "meta.options.network of the entry"},
		{"inherited", "inherited from the caller"},
		{"default", "network_service.default_network"},
		{"direct", "nobody chose one: the clear network"},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i][0], chosen_by) == 0)
			return words[i][1];
	}
	return "";
}

static const char *isolation_in_words(const char *name)
{
	static const char *const words[][2] = {
		{"none", "everyone on this network shares identity and kept-alive connections"},
		{"dial", "a fresh identity for each connection; kept alive for who opened it"},
		{"process", "one identity for each process or call"},
		{"host", "one identity for each target host"},
		{"name", "one identity under the name in the entry"},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i][0], name) == 0)
			return words[i][1];
	}
	return "";
}

static void print(const struct value *v)
{
	if (value_text_at(v, "target")[0])
		printf("%-10s %s\n", "target", value_text_at(v, "target"));
	printf("%-10s %s%s%s%s\n", "network", value_text_at(v, "overlay"), value_text_at(v, "kind")[0] ? " (" : "",
		value_text_at(v, "kind"), value_text_at(v, "kind")[0] ? ")" : "");
	printf("%-10s %s: %s\n", "chosen by", value_text_at(v, "chosen_by"),
		chosen_in_words(value_text_at(v, "chosen_by")));
	if (value_text_at(v, "resolver")[0])
		printf("%-10s %s\n", "resolver", value_text_at(v, "resolver"));
	if (value_text_at(v, "isolation")[0])
		printf("%-10s %s: %s\n", "isolation", value_text_at(v, "isolation"),
			isolation_in_words(value_text_at(v, "isolation")));
	if (value_text_at(v, "refused")[0])
		printf("%-10s %s\n", "refused", value_text_at(v, "refused"));
}

/* The host of "name", "name:443", "[::1]:80", "https://name/x". */
static int read_host(const char *target, char **ret, struct err *e)
{
	struct http_url u;
	struct addr a;
	char *text;

	*ret = NULL;
	if (!target)
		return 0;
	if (addr_from_literal(target, 1, &a)) {
		*ret = xstrdup(target);
		return 0;
	}
	text = strstr(target, "://") ? xstrdup(target) : xasprintf("tcp://%s", target);
	if (http_url_parse(text, &u, e) == 0) {
		if (*u.host)
			*ret = xstrdup(u.host);
		http_url_done(&u);
	}
	free(text);
	if (*ret)
		return 0;
	return err_set(e, ERR_INVALID, "cannot explain \"%.200s\": expected a host, HOST:PORT or a URL", target);
}

int network_explain(const struct start *s, const char *target, struct err *e)
{
	struct frame_network net;
	struct value *v;
	char *host;
	int code;

	if (read_host(target, &host, e) < 0)
		return -1;
	if (choose(s, &net, e) < 0) {
		free(host);
		return -1;
	}
	v = explain(s, &net, target, host);
	free(host);
	if (opt.json)
		network_print_json(v);
	else
		print(v);
	code = value_get(v, "refused") ? NETWORK_EXIT_TARGET : EXIT_OK;
	value_unref(v);
	return code;
}
