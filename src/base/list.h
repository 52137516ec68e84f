/*
 * list.h - intrusive doubly linked list.
 *
 * The head and every member is a `struct list`; an empty head points to
 * itself. Nothing is allocated. list_remove() leaves the member pointing to
 * itself, so removing twice is harmless and list_is_linked() is meaningful
 * after list_init().
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"

struct list {
	struct list *prev;
	struct list *next;
};

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline bool list_is_linked(const struct list *l)
{
	return l->next != l;
}

static inline void list_insert_(struct list *l, struct list *prev, struct list *next)
{
	l->prev = prev;
	l->next = next;
	prev->next = l;
	next->prev = l;
}

static inline void list_push_back(struct list *head, struct list *l)
{
	list_insert_(l, head->prev, head);
}

static inline void list_push_front(struct list *head, struct list *l)
{
	list_insert_(l, head, head->next);
}

static inline void list_remove(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

/* Unlink and return the first member, NULL when empty. */
static inline struct list *list_pop_front(struct list *head)
{
	struct list *l = head->next;

	if (l == head)
		return NULL;
	list_remove(l);
	return l;
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)

#define list_for_each(pos, head) for (struct list *pos = (head)->next; pos != (head); pos = pos->next)

/* `pos` may be removed in the body. */
#define list_for_each_safe(pos, tmp, head) \
	for (struct list *pos = (head)->next, *tmp = pos->next; pos != (head); pos = tmp, tmp = pos->next)

#endif
