/*
 * security.c - `wippy security explain`: what the policies of a project say, without starting it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cli.h"
#include "app/start.h"
#include "base/alloc.h"
#include "security/policy_set.h"
#include "security/scope.h"
#include "value/json.h"

enum {
	EXIT_DENIED = 3,
	EXIT_UNDEFINED = 4, /* and so not allowed, either */
};

static struct {
	struct option_list groups;
	struct option_list policies;
	struct option_list meta;
	struct option_list actor_meta;
	struct start_flags flags;
	bool json;
} opt;

static const struct option *security_options(void)
{
	static const struct option table[] = {
		{"group", 'g', OPTION_LIST, &opt.groups, "NS:NAME", "the scope has the policies of this group"},
		{"policy", 'p', OPTION_LIST, &opt.policies, "NS:NAME", "the scope has this policy"},
		{"meta", 0, OPTION_LIST, &opt.meta, "K=V", "what the check tells: meta.K, as in pid=..., key=..."},
		{"actor-meta", 0, OPTION_LIST, &opt.actor_meta, "K=V", "the actor's metadata: actor.meta.K"},
		{"json", 0, OPTION_SWITCH, &opt.json, NULL, "print one JSON object"},
		START_OPTION_OVERRIDE(opt.flags, ", as in app:p:policy.effect=deny"),
		START_OPTION_SET(opt.flags),
		START_OPTION_PROFILE(opt.flags),
		{0},
	};

	return table;
}

/* -- the question ---------------------------------------------------------------------------------------------- */

/* "a.b=text" pairs as a map; numbers, true and false are of their type. */
static int read_pairs(const struct option_list *list, struct value **ret, struct err *e)
{
	struct value *map = value_map(), *next;

	for (size_t i = 0; i < list->count; i++) {
		const char *equals = strchr(list->items[i], '=');
		char *key;

		if (!equals || equals == list->items[i]) {
			value_unref(map);
			return err_set(e, ERR_INVALID, "expected KEY=VALUE, got \"%.200s\"", list->items[i]);
		}
		key = xmemdupz(list->items[i], (size_t)(equals - list->items[i]));
		next = value_with_path(map, key, config_coerce(equals + 1));
		free(key);
		value_unref(map);
		map = next;
	}
	*ret = map;
	return 0;
}

static struct policy_set *read_policies(const struct start *s, struct err *e)
{
	struct policy_set *set = policy_set_new();
	struct policy *p;

	for (size_t i = 0; i < s->entries.count; i++) {
		const struct entry *entry = s->entries.items[i];

		if (!policy_is_kind(entry->kind))
			continue;
		if (policy_new(entry, &p, e) < 0) {
			err_prefix(e, "failed to create policy entry");
			entry_prefix(e, entry, NULL);
			policy_set_free(set);
			return NULL;
		}
		policy_set_put(set, p);
	}
	return set;
}

static struct value *list_of(const struct option_list *l)
{
	struct value *list = value_list();

	for (size_t i = 0; i < l->count; i++)
		value_list_append(list, value_cstring(l->items[i]));
	return list;
}

static void note_missing(void *arg, const char *what, const char *id)
{
	struct err *e = arg;

	const char *hint = strcmp(what, "group") == 0 ? " (no policy lists it under groups)" : "";

	if (!strchr(id, ':'))
		hint = " (a full id is needed: namespace:name)";
	if (!e->text[0])
		err_set(e, ERR_NOT_FOUND, "%s not found: %.256s%s", what, id, hint);
}

/* Unlike at run time, a name that finds nothing is an error: it is most likely the answer to the question. */
static struct scope *make_scope(struct policy_set *set, struct err *e)
{
	struct value *groups = list_of(&opt.groups), *policies = list_of(&opt.policies);
	struct scope *scope = NULL;

	e->text[0] = '\0';
	if (opt.groups.count + opt.policies.count == 0)
		err_set(e, ERR_INVALID, "name the scope: --group NS:NAME or --policy NS:NAME, as often as needed");
	else
		scope = policy_set_union(set, groups, policies, note_missing, e);
	value_unref(groups);
	value_unref(policies);
	if (!e->text[0])
		return scope;
	scope_unref(scope);
	return NULL;
}

/* -- the answer ------------------------------------------------------------------------------------------------ */

static bool decides(const struct policy *p, const struct check *c, enum verdict verdict)
{
	return verdict != VERDICT_UNDEFINED && policy_judge(p, c) == verdict;
}

static void print_text(const struct scope *s, const struct check *c, enum verdict verdict)
{
	static const char *const sentences[] = {
		[VERDICT_UNDEFINED] = "undefined: no policy of the scope allows it, so a check refuses it",
		[VERDICT_ALLOW] = "allowed",
		[VERDICT_DENY] = "denied",
	};
	struct buf meta = BUF_INIT, why = BUF_INIT;
	int width = 0;

	printf("%s\n\n", sentences[verdict]);
	json_write(identity_meta(c->who), &meta);
	printf("actor     %s %s\naction    %s\nresource  %s\n", identity_id(c->who), buf_str(&meta), c->action,
		c->resource);
	buf_clear(&meta);
	json_write(c->meta, &meta);
	printf("meta      %s\n\n", buf_str(&meta));
	for (size_t i = 0; i < scope_count(s); i++) {
		int len = (int)strlen(policy_id(scope_policy(s, i)));

		width = len > width ? len : width;
	}
	for (size_t i = 0; i < scope_count(s); i++) {
		const struct policy *p = scope_policy(s, i);
		enum verdict own = policy_judge(p, c);

		buf_clear(&why);
		if (own == VERDICT_UNDEFINED)
			policy_explain(p, c, &why);
		else
			buf_adds(&why,
				decides(p, c, verdict) ? "decides" : "applies, but a policy that denies outweighs it");
		printf("%-9s  %-*s  %s\n", verdict_name(own), width, policy_id(p), buf_str(&why));
	}
	buf_done(&meta);
	buf_done(&why);
}

static struct value *policy_answer(const struct policy *p, const struct check *c, enum verdict verdict)
{
	enum policy_part part = policy_failing_part(p, c);
	struct value *v = value_map();
	struct buf why = BUF_INIT;

	value_map_set(v, "id", value_cstring(policy_id(p)));
	value_map_set(v, "effect", value_cstring(verdict_name(policy_effect(p))));
	value_map_set(v, "verdict", value_cstring(verdict_name(policy_judge(p, c))));
	value_map_set(v, "decides", value_bool(decides(p, c, verdict)));
	if (part != POLICY_APPLIES) {
		policy_explain(p, c, &why);
		value_map_set(v, "fails_on", value_cstring(policy_part_name(part)));
		value_map_set(v, "why", value_cstring(buf_str(&why)));
	}
	buf_done(&why);
	return v;
}

static void print_json(const struct scope *s, const struct check *c, enum verdict verdict)
{
	struct value *v = value_map(), *actor = value_map(), *list = value_list();
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < scope_count(s); i++)
		value_list_append(list, policy_answer(scope_policy(s, i), c, verdict));
	value_map_set(actor, "id", value_cstring(identity_id(c->who)));
	value_map_set(actor, "meta", value_ref((struct value *)(uintptr_t)identity_meta(c->who)));
	value_map_set(v, "verdict", value_cstring(verdict_name(verdict)));
	value_map_set(v, "allowed", value_bool(verdict == VERDICT_ALLOW));
	value_map_set(v, "actor", actor);
	value_map_set(v, "action", value_cstring(c->action));
	value_map_set(v, "resource", value_cstring(c->resource));
	value_map_set(v, "meta", value_ref((struct value *)(uintptr_t)c->meta));
	value_map_set(v, "policies", list);
	json_write_pretty(v, &text);
	printf("%s\n", buf_str(&text));
	buf_done(&text);
	value_unref(v);
}

static int answer(const struct scope *s, char **question, struct err *e)
{
	struct value *meta, *actor_meta;
	struct identity *who;
	enum verdict verdict;
	struct check c;

	if (read_pairs(&opt.meta, &meta, e) < 0)
		return -1;
	if (read_pairs(&opt.actor_meta, &actor_meta, e) < 0) {
		value_unref(meta);
		return -1;
	}
	who = identity_new(question[0], actor_meta);
	c = check_of(who, question[1], question[2], meta);
	verdict = scope_judge_check(s, &c);
	if (opt.json)
		print_json(s, &c, verdict);
	else
		print_text(s, &c, verdict);
	identity_unref(who);
	value_unref(meta);
	return verdict == VERDICT_ALLOW ? EXIT_OK : verdict == VERDICT_DENY ? EXIT_DENIED : EXIT_UNDEFINED;
}

static int explain(const struct cli_globals *g, char **question, struct err *e)
{
	struct start_options so = {
		.globals = g,
		.flags = &opt.flags,
		.quiet = !g->verbose && !g->very_verbose && !g->console,
		.lock_required = true,
	};
	struct policy_set *set = NULL;
	struct scope *scope = NULL;
	struct start s = {0};
	int code = -1;

	if (start_read(&so, &s, e) < 0)
		return -1;
	set = read_policies(&s, e);
	if (set)
		scope = make_scope(set, e);
	if (scope)
		code = answer(scope, question, e);
	scope_unref(scope);
	policy_set_free(set);
	start_done(&s);
	return code;
}

static int security_run(const struct cli_globals *g, int argc, char **argv, struct err *e)
{
	int code;

	if (argc == 0 || strcmp(argv[0], "explain") != 0)
		code = err_set(e, ERR_INVALID, "say `wippy security explain ACTOR ACTION RESOURCE`");
	else if (argc != 4)
		code = err_set(e, ERR_INVALID, "explain takes ACTOR, ACTION and RESOURCE, got %d arguments", argc - 1);
	else
		code = explain(g, argv + 1, e);
	option_list_done(&opt.groups);
	option_list_done(&opt.policies);
	option_list_done(&opt.meta);
	option_list_done(&opt.actor_meta);
	start_flags_done(&opt.flags);
	return code;
}

const struct command security_command = {
	.name = "security",
	.arguments = "explain ACTOR ACTION RESOURCE",
	.summary = "Explain what the project's policies say about an action",
	.details =
		"Reads the project in this folder without starting it, and tells what a scope of the named groups and\n"
		"policies says when ACTOR (an id) does ACTION to RESOURCE: which policy decides, and why each other\n"
		"one does not apply.\n"
		"\n"
		"  wippy security explain service:crawler network.select app:tor --group app:untrusted\n"
		"\n"
		"Exit codes: 0 allowed, 3 denied by a policy, 4 undefined (nothing allows it, so it is refused, too),\n"
		"1 an error.\n",
	.options = security_options,
	.run = security_run,
};
