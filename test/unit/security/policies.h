/*
 * policies.h - policies from YAML text, for the tests of this room.
 */
#ifndef TEST_SECURITY_POLICIES_H
#define TEST_SECURITY_POLICIES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "security/policy.h"
#include "value/yaml.h"

static struct value *from_yaml(const char *text)
{
	struct value *v;
	struct err e;

	if (yaml_parse("t", text, strlen(text), &v, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return v;
}

/* `text` is the entry's data; "ns:name" its id. */
static int try_policy(const char *id, const char *kind, const char *text, struct policy **ret, struct err *e)
{
	struct entry entry = {.id = (char *)(uintptr_t)id, .kind = (char *)(uintptr_t)kind, .data = from_yaml(text)};
	int rc;

	entry_id_split(id, &entry.ns, &entry.name);
	rc = policy_new(&entry, ret, e);
	value_unref(entry.data);
	free(entry.ns);
	free(entry.name);
	return rc;
}

static struct policy *make_policy(const char *id, const char *text)
{
	struct policy *p;
	struct err e;

	if (try_policy(id, "security.policy", text, &p, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return p;
}

#endif
