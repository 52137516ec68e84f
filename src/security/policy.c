#include "security/policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/refcount.h"
#include "security/condition.h"
#include "value/expr.h"

static const char conditions_kind[] = "security.policy", expression_kind[] = "security.policy.expr";

struct policy {
	struct refcount refs;
	char *id;
	enum verdict effect;
	bool any_resource;
	struct pattern_list actions;
	struct pattern_list resources;
	struct condition_list conditions;
	struct expr *expression; /* NULL: conditions */
	char **groups;
	size_t ngroups;
};

bool policy_is_kind(const char *kind)
{
	return strcmp(kind, conditions_kind) == 0 || strcmp(kind, expression_kind) == 0;
}

/* -- reading ----------------------------------------------------------------------------------------------- */

static int read_effect(struct policy *p, const struct value *v, struct err *e)
{
	const char *text = value_text(v, "");

	if (strcmp(text, "allow") == 0)
		p->effect = VERDICT_ALLOW;
	else if (strcmp(text, "deny") == 0)
		p->effect = VERDICT_DENY;
	else
		return err_set(
			e, ERR_INVALID, "invalid policy effect: %.100s%s(allow or deny)", text, *text ? " " : "");
	return 0;
}

static int read_expression(struct policy *p, const struct value *v, struct err *e)
{
	const char *text;
	size_t len;

	if (value_type(v) != VALUE_STRING || !*value_get_string(v, &len))
		return err_set(e, ERR_INVALID, "expression is required");
	text = value_get_string(v, &len);
	if (expr_compile(text, len, &p->expression, e) < 0)
		return err_prefix(e, "failed to compile expression");
	return 0;
}

static void add_group(struct policy *p, char *id)
{
	for (size_t i = 0; i < p->ngroups; i++) {
		if (strcmp(p->groups[i], id) == 0) {
			free(id);
			return;
		}
	}
	p->groups[p->ngroups++] = id;
}

static int read_groups(struct policy *p, const struct value *list, const char *ns, struct err *e)
{
	if (value_type(list) == VALUE_NIL)
		return 0;
	if (value_type(list) != VALUE_LIST)
		return err_set(e, ERR_INVALID, "groups must be a list");
	p->groups = xcalloc(value_count(list) + 1, sizeof(*p->groups));
	for (size_t i = 0; i < value_count(list); i++) {
		const struct value *v = value_at(list, i);

		if (value_type(v) != VALUE_STRING || !*value_get_string(v, NULL))
			return err_set(e, ERR_INVALID, "groups must be a list of names");
		add_group(p, entry_id_resolve(value_get_string(v, NULL), ns));
	}
	return 0;
}

int policy_new(const struct entry *entry, struct policy **ret, struct err *e)
{
	const struct value *block = value_get(entry->data, "policy");
	struct policy *p = xcalloc(1, sizeof(*p));
	int rc;

	refcount_init(&p->refs);
	p->id = xstrdup(entry->id);
	if (pattern_list_read(&p->actions, value_get(block, "actions"), "actions", e) < 0 ||
		pattern_list_read(&p->resources, value_get(block, "resources"), "resources", e) < 0 ||
		read_effect(p, value_get(block, "effect"), e) < 0)
		goto fail;
	if (strcmp(entry->kind, expression_kind) == 0)
		rc = read_expression(p, value_get(block, "expression"), e);
	else
		rc = condition_list_read(&p->conditions, value_get(block, "conditions"), e);
	if (rc < 0 || read_groups(p, value_get(entry->data, "groups"), entry->ns, e) < 0)
		goto fail;
	p->any_resource = pattern_list_is_any(&p->resources);
	*ret = p;
	return 0;
fail:
	policy_unref(p);
	return -1;
}

struct policy *policy_ref(struct policy *p)
{
	if (p)
		refcount_inc(&p->refs);
	return p;
}

void policy_unref(struct policy *p)
{
	if (!p || !refcount_dec(&p->refs))
		return;
	for (size_t i = 0; i < p->ngroups; i++)
		free(p->groups[i]);
	free(p->groups);
	pattern_list_done(&p->actions);
	pattern_list_done(&p->resources);
	condition_list_done(&p->conditions);
	expr_unref(p->expression);
	free(p->id);
	free(p);
}

const char *policy_id(const struct policy *p)
{
	return p->id;
}

size_t policy_ngroups(const struct policy *p)
{
	return p->ngroups;
}

const char *policy_group(const struct policy *p, size_t i)
{
	return p->groups[i];
}

enum verdict policy_effect(const struct policy *p)
{
	return p->effect;
}

const struct pattern_list *policy_actions(const struct policy *p)
{
	return &p->actions;
}

/* -- deciding ------------------------------------------------------------------------------------------------ */

/* expr_test() over the check; the trees live for that long. */
static int test_expression(const struct policy *p, const struct check *c, struct err *e)
{
	const struct value *own = c->who ? identity_meta(c->who) : NULL;
	struct value *actor = value_map(), *none = value_map();
	struct value *action = value_string(c->action, c->action_len);
	struct value *resource = value_string(c->resource, c->resource_len);
	const struct expr_name names[] = {
		{"actor", actor},
		{"action", action},
		{"resource", resource},
		{"meta", c->meta ? c->meta : none},
	};
	int rc;

	value_map_set(actor, "id", value_cstring(c->who ? identity_id(c->who) : ""));
	/* Trees are immutable, so a reference is as good as a copy. */
	value_map_set(actor, "meta", value_ref(own ? (struct value *)(uintptr_t)own : none));
	rc = expr_test(p->expression, names, ARRAY_LEN(names), e);
	value_unref(actor);
	value_unref(action);
	value_unref(resource);
	value_unref(none);
	return rc;
}

enum verdict policy_judge_resource(const struct policy *p, const struct check *c)
{
	struct err e;

	if (!p->any_resource && !pattern_list_matches(&p->resources, c->resource, c->resource_len))
		return VERDICT_UNDEFINED;
	if (p->expression)
		return test_expression(p, c, &e) == 1 ? p->effect : VERDICT_UNDEFINED;
	return condition_list_holds(&p->conditions, c) ? p->effect : VERDICT_UNDEFINED;
}

enum verdict policy_judge(const struct policy *p, const struct check *c)
{
	if (!pattern_list_matches(&p->actions, c->action, c->action_len))
		return VERDICT_UNDEFINED;
	return policy_judge_resource(p, c);
}

enum policy_part policy_failing_part(const struct policy *p, const struct check *c)
{
	if (!pattern_list_matches(&p->actions, c->action, c->action_len))
		return POLICY_ACTION;
	if (!pattern_list_matches(&p->resources, c->resource, c->resource_len))
		return POLICY_RESOURCE;
	if (policy_judge_resource(p, c) != VERDICT_UNDEFINED)
		return POLICY_APPLIES;
	return p->expression ? POLICY_EXPRESSION : POLICY_CONDITION;
}

static void add_patterns(struct buf *out, const struct pattern_list *l)
{
	if (l->count == 0)
		buf_adds(out, "nothing");
	for (size_t i = 0; i < l->count; i++)
		buf_addf(out, "%s%s%s", i ? ", " : "", l->items[i].text, l->items[i].type == PATTERN_PREFIX ? "*" : "");
}

void policy_explain(const struct policy *p, const struct check *c, struct buf *ret_why)
{
	struct err e;
	int rc;

	switch (policy_failing_part(p, c)) {
	case POLICY_APPLIES:
		break;
	case POLICY_ACTION:
		buf_adds(ret_why, "it is about other actions: ");
		add_patterns(ret_why, &p->actions);
		break;
	case POLICY_RESOURCE:
		buf_adds(ret_why, "it is about other resources: ");
		add_patterns(ret_why, &p->resources);
		break;
	case POLICY_CONDITION:
		condition_list_explain(&p->conditions, c, ret_why);
		break;
	case POLICY_EXPRESSION:
		rc = test_expression(p, c, &e);
		if (rc < 0)
			buf_addf(ret_why, "the expression failed: %s", e.text);
		else
			buf_adds(ret_why, "the expression is false");
		break;
	}
}

const char *policy_part_name(enum policy_part part)
{
	switch (part) {
	case POLICY_APPLIES:
		break;
	case POLICY_ACTION:
		return "action";
	case POLICY_RESOURCE:
		return "resource";
	case POLICY_CONDITION:
		return "condition";
	case POLICY_EXPRESSION:
		return "expression";
	}
	return "";
}
