/*
 * template_set.c - how long templates live, and sets of them.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "value/template_node.h"

/* NULL gives NULL */
static struct template *template_ref(struct template *t)
{
	if (t)
		atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

static void action_free(struct action *a)
{
	struct parameter *one, *following;

	for (one = a->parameters; one; one = following) {
		following = one->next;
		free(one->name);
		free(one);
	}
	free(a->text);
	free(a->name);
	free(a->value_name);
	free(a);
}

void template_unref(struct template *t)
{
	struct action *a, *all;
	struct term *term, *next_term;

	if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (a = t->actions; a; a = all) {
		all = a->all;
		action_free(a);
	}
	for (term = t->terms; term; term = next_term) {
		next_term = term->next;
		value_unref(term->literal);
		free(term->kids);
		free(term);
	}
	for (size_t i = 0; i < t->nimports; i++)
		free(t->imports[i]);
	free(t->imports);
	free(t->extends);
	map_free(t->blocks, NULL);
	free(t->name);
	free(t->source);
	free(t);
}

/* -- sets --------------------------------------------------------------------------------------------- */

struct template_set {
	atomic_uint refs;
	pthread_mutex_t lock; /* of the map; held for look-ups only */
	struct map *templates;
};

struct template_set *template_set_new(void)
{
	struct template_set *s = xcalloc(1, sizeof(*s));

	atomic_init(&s->refs, 1);
	pthread_mutex_init(&s->lock, NULL);
	s->templates = map_new();
	return s;
}

struct template_set *template_set_ref(struct template_set *s)
{
	if (s)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

static void unref_template(void *t)
{
	template_unref(t);
}

void template_set_unref(struct template_set *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	map_free(s->templates, unref_template);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void template_set_put(struct template_set *s, const char *name, struct template *t)
{
	struct template *old;

	template_ref(t);
	pthread_mutex_lock(&s->lock);
	old = map_set(s->templates, name, t);
	pthread_mutex_unlock(&s->lock);
	template_unref(old);
}

void template_set_remove(struct template_set *s, const char *name)
{
	struct template *old;

	pthread_mutex_lock(&s->lock);
	old = map_remove(s->templates, name);
	pthread_mutex_unlock(&s->lock);
	template_unref(old);
}

struct template *template_set_get(struct template_set *s, const char *name)
{
	size_t len;
	struct template *t;
	char *bare;

	pthread_mutex_lock(&s->lock);
	t = template_ref(map_get(s->templates, name));
	if (!t) {
		while (strncmp(name, "./", 2) == 0 || *name == '/')
			name += *name == '/' ? 1 : 2;
		t = template_ref(map_get(s->templates, name));
		len = strlen(name);
		if (!t && len > 4 && strcmp(name + len - 4, ".jet") == 0) {
			bare = xmemdupz(name, len - 4);
			t = template_ref(map_get(s->templates, bare));
			free(bare);
		}
	}
	pthread_mutex_unlock(&s->lock);
	return t;
}
