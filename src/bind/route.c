#include "bind/route.h"

const char *route_chooser(const struct frame *f, bool call_named_one)
{
	if (call_named_one)
		return frame_chooser_name(FRAME_CALL);
	return f->chosen_by == FRAME_NOBODY ? FRAME_DIRECT : frame_chooser_name(f->chosen_by);
}

static void set(struct value *map, const char *name, const char *text)
{
	if (text && *text)
		value_map_set(map, name, value_cstring(text));
}

static void set_ms(struct value *map, const char *name, uint64_t ns)
{
	if (ns > 0)
		value_map_set(map, name, value_float((double)ns / 1e6));
}

void route_describe(const struct route *r, const struct http_trace *t, struct value *map)
{
	set(map, "overlay", r->overlay);
	set(map, "chosen_by", r->chosen_by);
	set(map, "resolver", t->resolver);
	set(map, "phase", t->phase);
	set(map, "isolation", r->isolation);
	set(map, "isolation_key", t->isolation_key);
	value_map_set(map, "reused", value_bool(t->reused));
	set_ms(map, "dial_ms", t->dial_ns);
	set_ms(map, "handshake_ms", t->handshake_ns);
	set_ms(map, "tls_ms", t->tls_ns);
	set_ms(map, "first_byte_ms", t->first_byte_ns);
	set_ms(map, "total_ms", t->total_ns);
}
