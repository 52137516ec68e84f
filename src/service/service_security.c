#include "service/service_security.h"

#include "base/log.h"
#include "security/policy_set.h"
#include "value/value.h"

static int read_list(const struct value *block, const char *key, struct value **ret, struct err *err)
{
	const struct value *list = value_get(block, key);

	if (value_type(list) == VALUE_NIL)
		return 0;
	if (value_type(list) != VALUE_LIST)
		return err_set(err, ERR_INVALID, "field 'lifecycle.security.%s': expected list, got %s", key,
			value_type_name(list));
	*ret = value_ref((struct value *)(uintptr_t)list);
	return 0;
}

static int read_actor(const struct value *actor, struct identity **ret, struct err *err)
{
	const struct value *meta = value_get(actor, "meta");
	const char *id = "";

	if (value_type(actor) != VALUE_NIL && value_type(actor) != VALUE_MAP)
		return err_set(err, ERR_INVALID, "field 'lifecycle.security.actor': expected map, got %s",
			value_type_name(actor));
	if (value_read_string(actor, "id", &id, err) < 0)
		return err_prefix(err, "lifecycle.security.actor");
	*ret = identity_new(id, value_type(meta) == VALUE_MAP ? value_ref((struct value *)(uintptr_t)meta) : NULL);
	return 0;
}

int service_security_read(struct service_security *ret, const struct entry *e, struct err *err)
{
	const struct value *block = value_get(value_get(e->data, "lifecycle"), "security");
	struct service_security s = {0};

	if (value_type(block) == VALUE_NIL) {
		*ret = s;
		return 0;
	}
	if (value_type(block) != VALUE_MAP)
		return err_set(
			err, ERR_INVALID, "field 'lifecycle.security': expected map, got %s", value_type_name(block));
	if (read_list(block, "groups", &s.groups, err) < 0 || read_list(block, "policies", &s.policies, err) < 0 ||
		read_actor(value_get(block, "actor"), &s.actor, err) < 0) {
		service_security_done(&s);
		return -1;
	}
	*ret = s;
	return 0;
}

static void on_missing(void *arg, const char *what, const char *id)
{
	log_warn("security", "lifecycle.security names what does not exist; it is left out", LOG_STR("service", arg),
		LOG_STR("missing", what), LOG_STR("id", id));
}

void service_security_resolve(struct service_security *s, const char *service_id, struct policy_set *policies)
{
	if (!policies || (!s->groups && !s->policies))
		return;
	s->scope = policy_set_union(policies, s->groups, s->policies, on_missing, (char *)(uintptr_t)service_id);
	if (!s->scope && value_count(s->groups) + value_count(s->policies) > 0)
		log_warn("security",
			"nothing that lifecycle.security names exists: the service has no scope, and nothing is "
			"forbidden to it unless security.strict_mode is on",
			LOG_STR("service", service_id));
	value_unref(s->groups);
	value_unref(s->policies);
	s->groups = s->policies = NULL;
}

void service_security_done(struct service_security *s)
{
	identity_unref(s->actor);
	scope_unref(s->scope);
	value_unref(s->groups);
	value_unref(s->policies);
	*s = (struct service_security){0};
}
