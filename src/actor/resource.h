/*
 * resource.h - things a process or call holds open and that end with it: streams, subscriptions, handles.
 *
 * Embed a struct resource in the handle. When the owner ends, `release` runs once, on its worker. Owner thread only.
 */
#ifndef ACTOR_RESOURCE_H
#define ACTOR_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>

/* A zeroed one is not owned. */
struct resource {
	struct resource *next;
	struct resource **link; /* what points to this one; NULL = not owned */
	void (*release)(struct resource *r);
	bool lasting; /* belongs to the pid: stays when the process replaces its code */
};

/* `head` is the owner's, NULL at first (process->resources). */
static inline void resource_own(struct resource **head, struct resource *r, void (*release)(struct resource *r))
{
	r->release = release;
	r->next = *head;
	r->link = head;
	if (r->next)
		r->next->link = &r->next;
	*head = r;
}

/* The holder closed it by itself: `release` will not run. Twice is fine. */
static inline void resource_drop(struct resource *r)
{
	if (!r->link)
		return;
	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
	r->link = NULL;
}

/* The owner replaces its code: all but the lasting ones go. */
static inline void resources_release_passing(struct resource **head)
{
	struct resource *r;

	/* Releasing one may drop others: begin again each time. */
	do {
		for (r = *head; r && r->lasting; r = r->next)
			;
		if (r) {
			resource_drop(r);
			r->release(r);
		}
	} while (r);
}

/* The owner ends. */
static inline void resources_release(struct resource **head)
{
	while (*head) {
		struct resource *r = *head;

		resource_drop(r);
		r->release(r);
	}
}

#endif
