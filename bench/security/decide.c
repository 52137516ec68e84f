/*
 * decide.c - how long a scope needs for one decision: nanoseconds, the best of several rounds, by number and kind of policies.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "security/scope.h"
#include "value/yaml.h"

enum { ROUNDS = 7, DECISIONS = 50000 };

static struct policy *policy_from(const char *text, int i)
{
	char *full = xasprintf(text, i), *id = xasprintf("app:p%d", i);
	struct entry entry = {.id = id, .ns = "app", .name = id + 4, .kind = "security.policy"};
	struct policy *p;
	struct err e;

	if (yaml_parse("policy", full, strlen(full), &entry.data, &e) < 0 || policy_new(&entry, &p, &e) < 0) {
		fprintf(stderr, "%s: %s\n", full, e.text);
		exit(1);
	}
	value_unref(entry.data);
	free(full);
	free(id);
	return p;
}

static double now_ns(void)
{
	struct timespec t;

	/* Of this thread, so that whatever else the machine does is not counted. */
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct shape {
	const char *name;
	const char *policy; /* %d: its number */
	const char *action, *resource;
};

static const struct shape shapes[] = {
	{"an action each, one asked for", "{policy: {actions: 'act%d.get', resources: '*', effect: allow}}", "act7.get",
		"app:x"},
	{"an action each, none asked for", "{policy: {actions: 'act%d.get', resources: '*', effect: allow}}",
		"network.select", "app:x"},
	{"a prefix each, one asked for", "{policy: {actions: 'act%d.*', resources: '*', effect: allow}}", "act7.get",
		"app:x"},
	{"one action, a resource each, the last asked for",
		"{policy: {actions: network.select, resources: 'app:net%d', effect: allow}}", "network.select",
		"app:net%d"},
	{"actions *, a resource prefix each, none asked for",
		"{policy: {actions: '*', resources: 'app:net%d/*', effect: deny}}", "network.select", "vpn:x"},
	{"actions *, resources *, a condition each, none holds",
		"{policy: {actions: '*', resources: '*', effect: deny, conditions: [{field: actor.meta.level, "
		"operator: eq, "
		"value: lvl%d}]}}",
		"network.select", "app:tor"},
};

static double measure(const struct shape *s, int npolicies)
{
	struct policy **list = xcalloc((size_t)npolicies, sizeof(struct policy *));
	struct value *meta = value_map();
	struct identity *who;
	struct scope *scope;
	double best = 1e18;
	char resource[64];
	volatile unsigned sum = 0;

	value_map_set(meta, "level", value_cstring("none"));
	who = identity_new("user:1", meta);
	for (int i = 0; i < npolicies; i++)
		list[i] = policy_from(s->policy, i);
	scope = scope_new_of(list, (size_t)npolicies);
	if (strstr(s->resource, "%d"))
		snprintf(resource, sizeof(resource), "app:net%d", npolicies - 1);
	else
		snprintf(resource, sizeof(resource), "%s", s->resource);
	for (int r = 0; r < ROUNDS; r++) {
		double begun = now_ns(), each;

		for (int i = 0; i < DECISIONS; i++)
			sum += scope_judge(scope, who, s->action, resource, NULL);
		each = (now_ns() - begun) / DECISIONS;
		if (each < best)
			best = each;
	}
	for (int i = 0; i < npolicies; i++)
		policy_unref(list[i]);
	free(list);
	scope_unref(scope);
	identity_unref(who);
	return best;
}

int main(void)
{
	static const int counts[] = {1, 10, 100, 1000};

	printf("%-55s", "nanoseconds a decision; policies:");
	for (size_t k = 0; k < ARRAY_LEN(counts); k++)
		printf("%9d", counts[k]);
	printf("\n");
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		printf("%-55s", shapes[i].name);
		for (size_t k = 0; k < ARRAY_LEN(counts); k++)
			printf("%9.0f", measure(&shapes[i], counts[k]));
		printf("\n");
	}
	return 0;
}
