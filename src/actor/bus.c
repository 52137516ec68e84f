#include "actor/bus.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actor/number_map.h"
#include "actor/process.h"
#include "base/alloc.h"
#include "base/list.h"
#include "base/refcount.h"
#include "registry/pattern.h"

/* How many requests one thread works off before the control loop goes on. */
enum { BATCH = 256 };

enum request_type { REQUEST_PUBLISH, REQUEST_ADD, REQUEST_REMOVE };

/* An event on its way; listeners keep it until their loops have come to it. */
struct event {
	struct refcount refs;
	struct bus_event view;
	char texts[]; /* system, kind, path */
};

struct bus_listener {
	struct refcount refs; /* the holder's, the table's and one for each event on its way */
	struct bus *bus;
	uint64_t number;
	struct loop *loop;
	bus_event_fn *fn;
	void *arg;
	bool closed; /* its loop's */
};

struct subscriber {
	struct list link;
	uint64_t number;
	struct pid pid;
	struct bus_listener *listener; /* NULL: a process */
	const char *kind;
	char system[]; /* then the kind */
};

struct request {
	struct request *next;
	enum request_type type;
	struct event *event;           /* REQUEST_PUBLISH */
	struct subscriber *subscriber; /* REQUEST_ADD */
	uint64_t number;               /* REQUEST_REMOVE */
};

struct bus {
	struct scheduler *scheduler;
	struct loop *loop;
	struct loop_post post;
	_Atomic(struct request *) newest; /* what arrived, newest first */
	atomic_bool attended;             /* some thread is dispatching, or `post` is on its way */
	atomic_bool stopped;
	atomic_uint_fast64_t next_number;
	atomic_uint nlisteners;

	/* The dispatching thread's. */
	struct request *oldest; /* taken out of `newest`, in order */
	struct list subscribers;
	struct number_map by_number;
};

/* A listener is told. */
struct telling {
	struct loop_post post;
	struct bus_listener *listener;
	struct event *event;
};

/* -- parts ------------------------------------------------------------------------------------------- */

static char *put_text(char **at, const char *text, size_t len)
{
	char *to = *at;

	memcpy(to, text, len + 1);
	*at += len + 1;
	return to;
}

static struct event *event_new(const char *system, const char *kind, const char *path, struct packed *packed)
{
	size_t nsystem = strlen(system), nkind = strlen(kind), npath = strlen(path);
	struct event *ev = xmalloc(sizeof(*ev) + nsystem + nkind + npath + 3);
	char *at = ev->texts;

	refcount_init(&ev->refs);
	ev->view.system = put_text(&at, system, nsystem);
	ev->view.kind = put_text(&at, kind, nkind);
	ev->view.path = put_text(&at, path, npath);
	ev->view.packed = packed;
	return ev;
}

static void event_unref(struct event *ev)
{
	if (!ev || !refcount_dec(&ev->refs))
		return;
	packed_unref(ev->view.packed);
	free(ev);
}

static void listener_unref(struct bus_listener *l)
{
	if (l && refcount_dec(&l->refs))
		free(l);
}

static struct subscriber *subscriber_new(struct bus *b, const char *system, const char *kind)
{
	size_t nsystem = strlen(system), nkind = strlen(kind);
	struct subscriber *s = xcalloc(1, sizeof(*s) + nsystem + nkind + 2);
	char *at = s->system;

	list_init(&s->link);
	put_text(&at, system, nsystem);
	s->kind = put_text(&at, kind, nkind);
	s->number = atomic_fetch_add_explicit(&b->next_number, 1, memory_order_relaxed);
	return s;
}

static void subscriber_free(struct subscriber *s)
{
	if (!s)
		return;
	listener_unref(s->listener);
	free(s);
}

static void request_free(struct request *r)
{
	event_unref(r->event);
	subscriber_free(r->subscriber);
	free(r);
}

/* -- dispatching: one thread at a time, the one that set `attended` --------------------------------- */

static void on_told(struct loop_post *post)
{
	struct telling *t = container_of(post, struct telling, post);

	if (!t->listener->closed)
		t->listener->fn(t->listener->arg, &t->event->view);
	listener_unref(t->listener);
	event_unref(t->event);
	free(t);
}

static void tell_listener(struct bus_listener *l, struct event *ev)
{
	struct telling *t = xcalloc(1, sizeof(*t));

	refcount_inc(&l->refs);
	refcount_inc(&ev->refs);
	t->post.run = on_told;
	t->listener = l;
	t->event = ev;
	loop_post(l->loop, &t->post);
}

static int tell_process(struct bus *b, const struct subscriber *s, const struct event *ev)
{
	char topic[BUS_TOPIC_MAX];
	size_t len = bus_topic(s->number, topic);
	struct message *m = message_new(topic, len, pid_system, packed_ref(ev->view.packed));

	m->type = MESSAGE_BUS;
	if (b->scheduler)
		return process_send(b->scheduler, s->pid, m, NULL);
	message_free(m);
	return 0;
}

static bool wants(const struct subscriber *s, const struct bus_event *ev)
{
	if (s->listener)
		return dotted_matches(s->system, ev->system) && dotted_matches(s->kind, ev->kind);
	return prefix_matches(s->system, ev->system) && prefix_matches(s->kind, ev->kind);
}

static void remove_subscriber(struct bus *b, struct subscriber *s)
{
	number_map_remove(&b->by_number, s->number);
	list_remove(&s->link);
	subscriber_free(s);
}

static void tell_all(struct bus *b, struct event *ev)
{
	list_for_each_safe(l, tmp, &b->subscribers) {
		struct subscriber *s = list_entry(l, struct subscriber, link);

		if (!wants(s, &ev->view))
			continue;
		if (s->listener)
			tell_listener(s->listener, ev);
		else if (tell_process(b, s, ev) < 0)
			remove_subscriber(b, s); /* it ended; its own request to go is under way */
	}
}

static void handle(struct bus *b, struct request *r)
{
	struct subscriber *s;

	switch (r->type) {
	case REQUEST_PUBLISH:
		tell_all(b, r->event);
		break;
	case REQUEST_ADD:
		number_map_set(&b->by_number, r->subscriber->number, r->subscriber);
		list_push_back(&b->subscribers, &r->subscriber->link);
		r->subscriber = NULL;
		break;
	case REQUEST_REMOVE:
		s = number_map_get(&b->by_number, r->number);
		if (s)
			remove_subscriber(b, s);
		break;
	}
}

static struct request *next_request(struct bus *b)
{
	struct request *r;

	if (!b->oldest) {
		/* Newest first in there: turn the chain round. */
		for (r = atomic_exchange(&b->newest, NULL); r;) {
			struct request *older = r->next;

			r->next = b->oldest;
			b->oldest = r;
			r = older;
		}
	}
	r = b->oldest;
	if (r)
		b->oldest = r->next;
	return r;
}

/* True when the queue was empty, false when the batch is used up. */
static bool work_off(struct bus *b)
{
	/* Once stopped the loop will not come back to it, and there is little left to do. */
	for (unsigned i = 0; i < BATCH || atomic_load(&b->stopped); i++) {
		struct request *r = next_request(b);

		if (!r)
			return true;
		/* After the stop only the table is still kept in order. */
		if (r->type != REQUEST_PUBLISH || !atomic_load(&b->stopped))
			handle(b, r);
		request_free(r);
	}
	return false;
}

/* `attended` is ours. */
static void attend(struct bus *b)
{
	do {
		if (!work_off(b)) {
			loop_post(b->loop, &b->post); /* still attended: on_post() goes on */
			return;
		}
		atomic_store(&b->attended, false);
		/* Whoever added something before the line above found the queue attended and left it to us. */
	} while (atomic_load(&b->newest) && !atomic_exchange(&b->attended, true));
}

static void on_post(struct loop_post *post)
{
	attend(container_of(post, struct bus, post));
}

/* Takes `r`. */
static void push(struct bus *b, struct request *r)
{
	r->next = atomic_load_explicit(&b->newest, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&b->newest, &r->next, r))
		;
}

static void submit(struct bus *b, struct request r)
{
	struct request *copy = xmalloc(sizeof(*copy));

	*copy = r;
	push(b, copy);
	if (!atomic_exchange(&b->attended, true))
		attend(b);
}

/* -- life -------------------------------------------------------------------------------------------- */

struct bus *bus_new(struct scheduler *s, struct loop *loop)
{
	struct bus *b = xcalloc(1, sizeof(*b));

	b->scheduler = s;
	b->loop = loop;
	b->post.run = on_post;
	atomic_init(&b->newest, NULL);
	atomic_init(&b->attended, false);
	atomic_init(&b->stopped, false);
	atomic_init(&b->next_number, 1);
	atomic_init(&b->nlisteners, 0);
	list_init(&b->subscribers);
	return b;
}

void bus_stop(struct bus *b)
{
	atomic_store(&b->stopped, true);
}

void bus_free(struct bus *b)
{
	struct request *r;

	if (!b)
		return;
	while ((r = next_request(b)))
		request_free(r);
	list_for_each_safe(l, tmp, &b->subscribers)
		remove_subscriber(b, list_entry(l, struct subscriber, link));
	number_map_done(&b->by_number);
	free(b);
}

/* -- publishing -------------------------------------------------------------------------------------- */

struct packed *bus_pack(const char *system, const char *kind, const char *path, const struct value *data)
{
	struct value *v = value_map();
	struct packed *p;

	value_map_set(v, "system", value_string(system, strlen(system)));
	value_map_set(v, "kind", value_string(kind, strlen(kind)));
	value_map_set(v, "path", value_string(path, strlen(path)));
	if (data)
		value_map_set(v, "data", value_ref((struct value *)(uintptr_t)data));
	p = packed_from_value(v);
	value_unref(v);
	return p;
}

void bus_publish(struct bus *b, const char *system, const char *kind, const char *path, struct packed *event)
{
	if (atomic_load(&b->stopped)) {
		packed_unref(event);
		return;
	}
	submit(b, (struct request){.type = REQUEST_PUBLISH, .event = event_new(system, kind, path, event)});
}

void bus_publish_later(struct bus *b, const char *system, const char *kind, const char *path, struct packed *event)
{
	struct request *r;

	if (atomic_load(&b->stopped)) {
		packed_unref(event);
		return;
	}
	r = xcalloc(1, sizeof(*r));
	r->type = REQUEST_PUBLISH;
	r->event = event_new(system, kind, path, event);
	push(b, r);
	if (!atomic_exchange(&b->attended, true))
		loop_post(b->loop, &b->post);
}

/* -- subscribers ------------------------------------------------------------------------------------- */

uint64_t bus_subscribe(struct bus *b, struct pid pid, const char *system, const char *kind)
{
	struct subscriber *s = subscriber_new(b, system, kind && *kind ? kind : "*");
	uint64_t number = s->number;

	s->pid = pid;
	submit(b, (struct request){.type = REQUEST_ADD, .subscriber = s});
	return number;
}

void bus_unsubscribe(struct bus *b, uint64_t number)
{
	submit(b, (struct request){.type = REQUEST_REMOVE, .number = number});
}

size_t bus_topic(uint64_t number, char topic[static BUS_TOPIC_MAX])
{
	return (size_t)snprintf(topic, BUS_TOPIC_MAX, "@bus/%llu", (unsigned long long)number);
}

int bus_listen(struct bus *b, const char *system, const char *kind, struct loop *loop, bus_event_fn *fn, void *arg,
	struct bus_listener **ret, struct err *e)
{
	struct bus_listener *l;
	struct subscriber *s;

	if (atomic_fetch_add(&b->nlisteners, 1) >= BUS_LISTENERS_MAX) {
		atomic_fetch_sub(&b->nlisteners, 1);
		return err_set(e, ERR_UNAVAILABLE, "eventbus subscribers cap reached");
	}
	l = xcalloc(1, sizeof(*l));
	s = subscriber_new(b, system, kind);
	refcount_init(&l->refs);
	refcount_inc(&l->refs); /* the table's */
	l->bus = b;
	l->number = s->number;
	l->loop = loop;
	l->fn = fn;
	l->arg = arg;
	s->listener = l;
	submit(b, (struct request){.type = REQUEST_ADD, .subscriber = s});
	*ret = l;
	return 0;
}

void bus_unlisten(struct bus_listener *l)
{
	if (!l)
		return;
	l->closed = true;
	atomic_fetch_sub(&l->bus->nlisteners, 1);
	bus_unsubscribe(l->bus, l->number);
	listener_unref(l);
}
