/* What a type stands for: names, parameters of generics, instances; and which type is part of which. */
#include "engine/type_node.h"

#include <string.h>

enum { HOPS_MAX = 100, SUBTYPE_DEPTH_MAX = 100, SUBTYPE_STEPS_MAX = 100000 };

const struct type type_any = {.kind = TYPE_ANY};

static bool push_global(struct type_query *q, const char *name, size_t len)
{
	lua_pushlstring(q->L, name, len);
	lua_rawget(q->L, q->env);
	return !lua_isnil(q->L, -1);
}

struct type_view type_lookup(struct type_query *q, const struct type *named)
{
	struct type_view found = {.t = &type_any};
	const char *dot = memchr(named->name, '.', named->len);
	const struct type_value *value = NULL;
	int top = lua_gettop(q->L);

	if (!q->env || !lua_checkstack(q->L, 4))
		return found;
	if (dot) {
		size_t alias = (size_t)(dot - named->name);

		if (push_global(q, named->name, alias) && lua_istable(q->L, -1)) {
			lua_pushlstring(q->L, dot + 1, named->len - alias - 1);
			lua_rawget(q->L, -2);
			value = type_value_at(q->L, -1);
		}
		/* A library's types are globals, of the name they have there. */
		if (!value && push_global(q, dot + 1, named->len - alias - 1))
			value = type_value_at(q->L, -1);
	} else if (push_global(q, named->name, named->len)) {
		value = type_value_at(q->L, -1);
	}
	if (value) { /* on top; the global table keeps it for now */
		found = value->v;
		if (q->keep)
			lua_rawseti(q->L, q->keep, (lua_Integer)lua_rawlen(q->L, q->keep) + 1);
	}
	lua_settop(q->L, top);
	return found;
}

static struct type_view index_type(struct type_query *q, struct type_view v)
{
	struct type_view base = type_resolve(q, (struct type_view){v.t->items[0], v.frame});
	struct type_view key = type_resolve(q, (struct type_view){v.t->items[1], v.frame});
	struct type_view field = {0};

	if (!base.t || !key.t)
		return (struct type_view){.t = &type_any};
	switch (base.t->kind) {
	case TYPE_RECORD:
		if (key.t->kind == TYPE_LITERAL_STRING)
			field = type_field(q, base, key.t->name, key.t->len);
		break;
	case TYPE_ARRAY:
		field = (struct type_view){base.t->items[0], base.frame};
		break;
	case TYPE_MAP:
		field = (struct type_view){base.t->items[1], base.frame};
		break;
	default:
		break;
	}
	return field.t ? field : (struct type_view){.t = &type_any};
}

const struct type *type_instantiate(
	struct type_query *q, struct type_view instance, struct type_view args[static TYPE_PARAMS_MAX])
{
	const struct type *generic = instance.t->items[0];
	uint32_t n = instance.t->n - 1;

	if (generic->kind == TYPE_NAMED)
		generic = generic->target ? generic->target : type_lookup(q, generic).t;
	if (generic == &type_any || n > TYPE_PARAMS_MAX)
		return &type_any;
	if (type_nparams(generic) != n)
		return NULL;
	for (uint32_t i = 0; i < n; i++) {
		const struct type *arg = instance.t->items[i + 1];

		/* A parameter handed on is replaced at once, or a recursive generic would make an ever longer chain. */
		if (arg->kind == TYPE_PARAM && instance.frame && arg->index < instance.frame->n)
			args[i] = instance.frame->args[arg->index];
		else
			args[i] = (struct type_view){arg, instance.frame};
	}
	return generic;
}

static struct type_view instance_body(struct type_query *q, struct type_view v)
{
	struct type_frame *frame = &q->frames[q->nframes];
	const struct type *generic;

	if (q->nframes == TYPE_FRAMES_MAX)
		return (struct type_view){0};
	generic = type_instantiate(q, v, q->args[q->nframes]);
	if (!generic || generic == &type_any)
		return (struct type_view){.t = generic};
	*frame = (struct type_frame){q->args[q->nframes++], v.t->n - 1};
	return (struct type_view){generic->items[0], frame};
}

struct type_view type_resolve(struct type_query *q, struct type_view v)
{
	if (++q->depth > TYPE_DEPTH_MAX) {
		q->depth--;
		return (struct type_view){.t = &type_any};
	}
	for (int hops = 0; v.t && hops < HOPS_MAX; hops++) {
		const struct type_frame *frame = v.frame;

		switch (v.t->kind) {
		case TYPE_NAMED:
			/* `self` keeps the arguments of the generic it stands in. */
			if (v.t->target)
				v = (struct type_view){v.t->target, v.t->name ? NULL : frame};
			else
				v = type_lookup(q, v.t);
			break;
		case TYPE_DECLARED:
			if (type_nparams(v.t) && !frame)
				v.t = NULL;
			else
				v.t = v.t->items[0];
			break;
		case TYPE_PARAM:
			if (!frame || v.t->index >= frame->n)
				v.t = NULL;
			else
				v = frame->args[v.t->index];
			break;
		case TYPE_INSTANCE:
			v = instance_body(q, v);
			break;
		case TYPE_INDEX:
			v = index_type(q, v);
			break;
		case TYPE_CONDITIONAL: {
			bool yes = type_is_subtype(
				q, (struct type_view){v.t->items[0], frame}, (struct type_view){v.t->items[1], frame});

			v.t = v.t->items[yes ? 2 : 3];
			break;
		}
		default:
			q->depth--;
			return v;
		}
	}
	q->depth--;
	return (struct type_view){.t = v.t ? &type_any : NULL};
}

struct type_view type_field(struct type_query *q, struct type_view record, const char *name, size_t len)
{
	struct type_view v = type_resolve(q, record);

	if (!v.t)
		return v;
	if (v.t->kind == TYPE_RECORD) {
		for (uint32_t i = 0; i < v.t->n; i++) {
			const struct type *f = v.t->items[i];

			if (f->len == len && memcmp(f->name, name, len) == 0)
				return (struct type_view){f->items[0], v.frame};
		}
	} else if (v.t->kind == TYPE_INTERSECTION && q->depth < SUBTYPE_DEPTH_MAX) {
		for (uint32_t i = 0; i < v.t->n; i++) {
			struct type_view found;

			q->depth++;
			found = type_field(q, (struct type_view){v.t->items[i], v.frame}, name, len);
			q->depth--;
			if (found.t)
				return found;
		}
	}
	return (struct type_view){0};
}

static struct type_view item(struct type_view v, uint32_t i)
{
	return (struct type_view){v.t->items[i], v.frame};
}

static bool same_literal(const struct type *a, const struct type *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case TYPE_LITERAL_BOOLEAN:
		return a->flag == b->flag;
	case TYPE_LITERAL_STRING:
		return a->len == b->len && memcmp(a->name, b->name, a->len) == 0;
	default:
		return a->is_integer && b->is_integer ? a->integer == b->integer : a->number == b->number;
	}
}

static bool is_literal_of(const struct type *a, const struct type *b)
{
	switch (a->kind) {
	case TYPE_LITERAL_BOOLEAN:
		return b->kind == TYPE_BOOLEAN;
	case TYPE_LITERAL_STRING:
		return b->kind == TYPE_STRING;
	case TYPE_LITERAL_NUMBER:
		return b->kind == TYPE_NUMBER || (b->kind == TYPE_INTEGER && a->is_integer);
	default:
		return false;
	}
}

static bool record_is_subtype(struct type_query *q, struct type_view a, struct type_view b)
{
	for (uint32_t i = 0; i < b.t->n; i++) {
		const struct type *f = b.t->items[i];
		struct type_view own = type_field(q, a, f->name, f->len);
		struct type_view want = {f->items[0], b.frame};

		if (!own.t) {
			static const struct type nil = {.kind = TYPE_NIL};

			if (!f->flag && !type_is_subtype(q, (struct type_view){.t = &nil}, want))
				return false;
		} else if (!type_is_subtype(q, own, want)) {
			return false;
		}
	}
	return true;
}

static bool function_is_subtype(struct type_query *q, struct type_view a, struct type_view b)
{
	if (!b.t->n)
		return true;
	if (a.t->n > b.t->n || !a.t->n)
		return false;
	for (uint32_t i = 0; i + 1 < a.t->n; i++) {
		if (!type_is_subtype(q, item(b, i), item(a, i)))
			return false;
	}
	return type_is_subtype(q, item(a, a.t->n - 1), item(b, b.t->n - 1));
}

static bool tuple_is_subtype(struct type_query *q, struct type_view a, struct type_view b)
{
	if (a.t->n != b.t->n)
		return false;
	for (uint32_t i = 0; i < a.t->n; i++) {
		if (!type_is_subtype(q, item(a, i), item(b, i)))
			return false;
	}
	return true;
}

static bool same_structure_is_subtype(struct type_query *q, struct type_view a, struct type_view b)
{
	switch (a.t->kind) {
	case TYPE_LITERAL_BOOLEAN:
	case TYPE_LITERAL_STRING:
	case TYPE_LITERAL_NUMBER:
		return same_literal(a.t, b.t);
	case TYPE_ARRAY:
	case TYPE_MAP:
	case TYPE_TUPLE:
	case TYPE_VARIADIC:
	case TYPE_KEYOF:
		return tuple_is_subtype(q, a, b);
	case TYPE_RECORD:
		return record_is_subtype(q, a, b);
	case TYPE_FUNCTION:
		return function_is_subtype(q, a, b);
	default:
		return true; /* primitives */
	}
}

static bool any_item(struct type_query *q, struct type_view a, struct type_view b, bool items_of_a)
{
	struct type_view of = items_of_a ? a : b;

	for (uint32_t i = 0; i < of.t->n; i++) {
		if (items_of_a ? type_is_subtype(q, item(a, i), b) : type_is_subtype(q, a, item(b, i)))
			return true;
	}
	return false;
}

static bool all_items(struct type_query *q, struct type_view a, struct type_view b, bool items_of_a)
{
	struct type_view of = items_of_a ? a : b;

	for (uint32_t i = 0; i < of.t->n; i++) {
		if (items_of_a ? !type_is_subtype(q, item(a, i), b) : !type_is_subtype(q, a, item(b, i)))
			return false;
	}
	return true;
}

static bool resolved_is_subtype(struct type_query *q, struct type_view a, struct type_view b)
{
	static const struct type nil = {.kind = TYPE_NIL};

	if (b.t->kind == TYPE_ANY || b.t->kind == TYPE_UNKNOWN || a.t->kind == TYPE_NEVER || a.t->kind == TYPE_ANY)
		return true;
	if (a.t->kind == TYPE_UNION)
		return all_items(q, a, b, true);
	if (a.t->kind == TYPE_OPTIONAL)
		return type_is_subtype(q, (struct type_view){.t = &nil}, b) && type_is_subtype(q, item(a, 0), b);
	if (b.t->kind == TYPE_UNION)
		return any_item(q, a, b, false);
	if (b.t->kind == TYPE_OPTIONAL)
		return a.t->kind == TYPE_NIL || type_is_subtype(q, a, item(b, 0));
	if (b.t->kind == TYPE_INTERSECTION)
		return all_items(q, a, b, false);
	if (a.t->kind == TYPE_INTERSECTION && b.t->kind != TYPE_RECORD)
		return any_item(q, a, b, true);
	if (b.t->kind == TYPE_VALIDATED)
		return a.t->kind == TYPE_VALIDATED && strcmp(a.t->name, b.t->name) == 0 &&
		       same_literal(a.t->items[1], b.t->items[1]) && type_is_subtype(q, item(a, 0), item(b, 0));
	if (a.t->kind == TYPE_VALIDATED)
		return type_is_subtype(q, item(a, 0), b);
	if (a.t->kind == TYPE_INTERSECTION)
		return record_is_subtype(q, a, b);
	if (a.t->kind == b.t->kind)
		return same_structure_is_subtype(q, a, b);
	if (b.t->kind == TYPE_TABLE)
		return a.t->kind == TYPE_ARRAY || a.t->kind == TYPE_MAP || a.t->kind == TYPE_RECORD;
	return (a.t->kind == TYPE_INTEGER && b.t->kind == TYPE_NUMBER) || is_literal_of(a.t, b.t) ||
	       (a.t->kind == TYPE_ERROR && b.t->kind == TYPE_USERDATA);
}

bool type_is_subtype(struct type_query *q, struct type_view a, struct type_view b)
{
	uint32_t nframes = q->nframes;
	bool is = false;

	if (a.t == b.t && a.frame == b.frame)
		return true;
	/* Types that refer to themselves meet again and again: what could not be told apart by then counts as the
	 * same. */
	if (q->depth >= SUBTYPE_DEPTH_MAX)
		return true;
	q->depth++;
	if (++q->steps <= SUBTYPE_STEPS_MAX) {
		a = type_resolve(q, a);
		b = type_resolve(q, b);
		is = a.t && b.t && resolved_is_subtype(q, a, b);
	}
	q->depth--;
	q->nframes = nframes;
	return is;
}
