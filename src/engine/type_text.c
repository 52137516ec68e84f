/* Types as people write them. */
#include "engine/type_node.h"

#include <string.h>

enum { TEXT_MAX = 160, TEXT_DEPTH_MAX = 12, STRING_MAX = 40 };

static const char *const primitive_names[] = {
	"nil",
	"boolean",
	"number",
	"integer",
	"string",
	"any",
	"unknown",
	"never",
	"table",
	"function",
	"thread",
	"userdata",
	"error",
};

const char *type_kind_name(const struct type *t)
{
	switch (t->kind) {
	case TYPE_LITERAL_BOOLEAN:
		return "boolean";
	case TYPE_LITERAL_STRING:
	case TYPE_KEYOF:
		return "string";
	case TYPE_LITERAL_NUMBER:
		return t->is_integer ? "integer" : "number";
	case TYPE_INSTANCE:
		return "instantiated";
	case TYPE_ARRAY:
		return "array";
	case TYPE_MAP:
		return "map";
	case TYPE_RECORD:
		return "record";
	case TYPE_UNION:
		return "union";
	case TYPE_INTERSECTION:
		return "intersection";
	case TYPE_OPTIONAL:
		return "optional";
	case TYPE_TUPLE:
		return "tuple";
	case TYPE_DECLARED:
		return "generic";
	default:
		return t->kind <= TYPE_ERROR ? primitive_names[t->kind] : "any";
	}
}

static void write_type(const struct type *t, const struct type_frame *frame, struct buf *out, int depth);

static void write_items(const struct type *t, uint32_t first, uint32_t end, const char *between,
	const struct type_frame *frame, struct buf *out, int depth)
{
	for (uint32_t i = first; i < end && buf_len(out) < TEXT_MAX; i++) {
		if (i > first)
			buf_adds(out, between);
		write_type(t->items[i], frame, out, depth);
	}
}

/* Members of a union that would read as more than one of it get parentheses. */
static void write_operand(const struct type *t, const struct type_frame *frame, struct buf *out, int depth)
{
	bool wrap = t->kind == TYPE_UNION || t->kind == TYPE_INTERSECTION || (t->kind == TYPE_FUNCTION && t->n) ||
		    t->kind == TYPE_CONDITIONAL;

	buf_adds(out, wrap ? "(" : "");
	write_type(t, frame, out, depth);
	buf_adds(out, wrap ? ")" : "");
}

static void write_operands(
	const struct type *t, const char *between, const struct type_frame *frame, struct buf *out, int depth)
{
	for (uint32_t i = 0; i < t->n && buf_len(out) < TEXT_MAX; i++) {
		if (i)
			buf_adds(out, between);
		write_operand(t->items[i], frame, out, depth);
	}
}

static void write_instance(const char *name, const struct type_view *args, uint32_t n, struct buf *out, int depth)
{
	buf_adds(out, name);
	buf_addc(out, '<');
	for (uint32_t i = 0; i < n && buf_len(out) < TEXT_MAX; i++) {
		if (i)
			buf_adds(out, ", ");
		write_type(args[i].t, args[i].frame, out, depth);
	}
	buf_addc(out, '>');
}

static void write_structure(const struct type *t, const struct type_frame *frame, struct buf *out, int depth)
{
	switch (t->kind) {
	case TYPE_INSTANCE:
		buf_adds(out, t->items[0]->name);
		buf_addc(out, '<');
		write_items(t, 1, t->n, ", ", frame, out, depth);
		buf_addc(out, '>');
		break;
	case TYPE_ARRAY:
		buf_addc(out, '{');
		write_type(t->items[0], frame, out, depth);
		buf_addc(out, '}');
		break;
	case TYPE_MAP:
		buf_adds(out, "{[");
		write_type(t->items[0], frame, out, depth);
		buf_adds(out, "]: ");
		write_type(t->items[1], frame, out, depth);
		buf_addc(out, '}');
		break;
	case TYPE_FIELD:
		buf_adds(out, t->name);
		buf_adds(out, t->flag ? "?: " : ": ");
		write_type(t->items[0], frame, out, depth);
		break;
	case TYPE_RECORD:
		buf_addc(out, '{');
		write_items(t, 0, t->n, ", ", frame, out, depth);
		buf_addc(out, '}');
		break;
	case TYPE_UNION:
		write_operands(t, " | ", frame, out, depth);
		break;
	case TYPE_INTERSECTION:
		write_operands(t, " & ", frame, out, depth);
		break;
	case TYPE_OPTIONAL:
		write_operand(t->items[0], frame, out, depth);
		buf_addc(out, '?');
		break;
	case TYPE_TUPLE:
		buf_addc(out, '(');
		write_items(t, 0, t->n, ", ", frame, out, depth);
		buf_addc(out, ')');
		break;
	case TYPE_VARIADIC:
		buf_adds(out, "...");
		write_type(t->items[0], frame, out, depth);
		break;
	case TYPE_FUNCTION:
		buf_addc(out, '(');
		write_items(t, 0, t->n - 1, ", ", frame, out, depth);
		buf_adds(out, ") -> ");
		write_type(t->items[t->n - 1], frame, out, depth);
		break;
	case TYPE_KEYOF:
		buf_adds(out, "keyof(");
		write_type(t->items[0], frame, out, depth);
		buf_addc(out, ')');
		break;
	case TYPE_INDEX:
		write_operand(t->items[0], frame, out, depth);
		buf_addc(out, '[');
		write_type(t->items[1], frame, out, depth);
		buf_addc(out, ']');
		break;
	case TYPE_CONDITIONAL:
		write_operand(t->items[0], frame, out, depth);
		buf_adds(out, " extends ");
		write_operand(t->items[1], frame, out, depth);
		buf_adds(out, " ? ");
		write_type(t->items[2], frame, out, depth);
		buf_adds(out, " : ");
		write_type(t->items[3], frame, out, depth);
		break;
	case TYPE_VALIDATED:
		write_operand(t->items[0], frame, out, depth);
		buf_addf(out, " @%s(", t->name);
		write_type(t->items[1], frame, out, depth);
		buf_addc(out, ')');
		break;
	default:
		buf_adds(out, primitive_names[t->kind]);
	}
}

static void write_string(const char *s, size_t len, struct buf *out)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < len && i < STRING_MAX; i++) {
		if (s[i] == '\\' || s[i] == '"')
			buf_addc(out, s[i]); /* as in the source, mostly; a pattern is unreadable otherwise */
		else
			buf_add_escaped(out, s + i, 1, 1);
	}
	buf_adds(out, len > STRING_MAX ? "...\"" : "\"");
}

static void write_type(const struct type *t, const struct type_frame *frame, struct buf *out, int depth)
{
	if (buf_len(out) >= TEXT_MAX || depth >= TEXT_DEPTH_MAX) {
		buf_adds(out, "...");
		return;
	}
	switch (t->kind) {
	case TYPE_LITERAL_BOOLEAN:
		buf_adds(out, t->flag ? "true" : "false");
		break;
	case TYPE_LITERAL_STRING:
		write_string(t->name, t->len, out);
		break;
	case TYPE_LITERAL_NUMBER:
		buf_adds(out, t->name);
		break;
	case TYPE_NAMED:
		buf_adds(out, t->name ? t->name : "self");
		break;
	case TYPE_PARAM:
		if (frame && t->index < frame->n)
			write_type(frame->args[t->index].t, frame->args[t->index].frame, out, depth + 1);
		else
			buf_adds(out, t->name);
		break;
	case TYPE_DECLARED:
		if (frame)
			write_instance(t->name, frame->args, frame->n, out, depth + 1);
		else
			buf_adds(out, t->name);
		break;
	case TYPE_FUNCTION:
		if (!t->n) {
			buf_adds(out, "function");
			break;
		}
		write_structure(t, frame, out, depth + 1);
		break;
	default:
		write_structure(t, frame, out, depth + 1);
	}
}

void type_write(const struct type *t, const struct type_frame *frame, struct buf *out)
{
	write_type(t, frame, out, 0);
}
