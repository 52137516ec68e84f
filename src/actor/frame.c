#include "actor/frame.h"

#include <string.h>

#include "base/block_cache.h"

struct frame_network frame_choose_network(
	const struct frame *caller, const char *call_network, const char *entry_network, const char *default_network)
{
	const char *named = call_network ? call_network : entry_network;

	if (named && *named)
		return (struct frame_network){named, call_network ? FRAME_CALL : FRAME_ENTRY, true};
	if (!named && caller && *caller->overlay) {
		/* The default stays the default on its way down: nobody chose it. */
		enum frame_chooser by = caller->chosen_by == FRAME_DEFAULT ? FRAME_DEFAULT : FRAME_INHERITED;

		return (struct frame_network){caller->overlay, by, false};
	}
	if (default_network && *default_network)
		return (struct frame_network){default_network, FRAME_DEFAULT, true};
	return (struct frame_network){"", FRAME_NOBODY, false};
}

/* `over` laid over `under`; a reference of its own. */
static struct value *values_merge(struct value *under, struct value *over)
{
	struct value *out;

	if (!over || value_count(over) == 0)
		return value_ref(under);
	if (!under || value_count(under) == 0)
		return value_ref(over);
	out = value_map();
	for (int round = 0; round < 2; round++) {
		const struct value *from = round == 0 ? under : over;

		for (size_t i = 0; i < value_count(from); i++) {
			const char *key;
			const struct value *v = value_pair(from, i, &key, NULL);

			/* Trees are immutable, so a reference is as good as a copy. */
			value_map_set(out, key, value_ref((struct value *)(uintptr_t)v));
		}
	}
	return out;
}

static bool edge_changes_nothing(
	const struct frame *caller, const struct frame_edge *edge, const struct frame_network *net)
{
	if (edge->actor && edge->actor != caller->actor)
		return false;
	if (edge->scope && edge->scope != caller->scope)
		return false;
	if (edge->values && value_count(edge->values) > 0)
		return false;
	return net->chosen_by == caller->chosen_by && strcmp(net->overlay, caller->overlay) == 0;
}

struct frame *frame_derive(struct frame *caller, const struct frame_edge *edge, const struct frame_network *net)
{
	size_t len = strlen(net->overlay);
	struct frame *f;
	char *overlay;

	if (caller && edge_changes_nothing(caller, edge, net))
		return frame_ref(caller);
	f = block_zalloc(sizeof(*f) + len + 1);
	overlay = (char *)(f + 1);
	refcount_init(&f->refs);
	memcpy(overlay, net->overlay, len + 1);
	f->overlay = overlay;
	f->chosen_by = net->chosen_by;
	f->actor = identity_ref(edge->actor ? edge->actor : caller ? caller->actor : NULL);
	f->scope = scope_ref(edge->scope ? edge->scope : caller ? caller->scope : NULL);
	f->values = values_merge(caller ? caller->values : NULL, edge->values);
	f->deadline_ns = caller ? caller->deadline_ns : 0;
	return f;
}

struct frame *frame_ref(struct frame *f)
{
	if (f)
		refcount_inc(&f->refs);
	return f;
}

void frame_unref(struct frame *f)
{
	if (!f || !refcount_dec(&f->refs))
		return;
	identity_unref(f->actor);
	scope_unref(f->scope);
	value_unref(f->values);
	block_free(f, sizeof(*f) + strlen(f->overlay) + 1);
}

bool frame_is_direct(const struct frame *f)
{
	return *f->overlay == '\0' || strcmp(f->overlay, FRAME_DIRECT) == 0;
}

const char *frame_chooser_name(enum frame_chooser c)
{
	switch (c) {
	case FRAME_NOBODY:
		return "none";
	case FRAME_DEFAULT:
		return "default";
	case FRAME_ENTRY:
		return "entry";
	case FRAME_CALL:
		return "call";
	case FRAME_INHERITED:
		return "inherited";
	}
	return "none";
}
