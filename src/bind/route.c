#include "bind/route.h"

const char *route_chooser(const struct frame *f, bool call_named_one)
{
	if (call_named_one)
		return frame_chooser_name(FRAME_CALL);
	return f->chosen_by == FRAME_NOBODY ? FRAME_DIRECT : frame_chooser_name(f->chosen_by);
}

static void set(struct value *map, const char *name, const char *text)
{
	if (text)
		value_map_set(map, name, value_cstring(text));
}

void route_describe(
	const char *overlay, const char *chosen_by, const char *resolver, const char *phase, struct value *map)
{
	set(map, "overlay", overlay);
	set(map, "chosen_by", chosen_by);
	set(map, "resolver", resolver);
	set(map, "phase", phase);
}
