/* The compact form of types, read by a stack machine. */
#include "engine/type_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"

enum { BLOCK_BYTES = 4096, PATTERN_MAX = 1000 };

struct type_block {
	struct type_block *next;
	size_t used;
	size_t cap;
	max_align_t mem[];
};

struct type_pattern {
	struct type_pattern *next;
	regex_t regex;
};

struct reader {
	struct type_set *set;
	lua_State *L;
	const char *p;
	const char *end;
	struct type **stack;
	uint32_t n;
	uint32_t cap;
	struct type **named; /* to be resolved at the end, and `self` of the current declaration */
	uint32_t nnamed;
	uint32_t cap_named;
	uint32_t first_named; /* of the current declaration */
	uint32_t nparams;     /* they lie at the bottom of the stack */
};

static void *take(struct type_set *set, size_t bytes)
{
	struct type_block *b = set->blocks;
	char *p;

	bytes = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (!b || b->cap - b->used < bytes) {
		size_t cap = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;

		b = xcalloc(1, sizeof(*b) + cap);
		b->cap = cap;
		b->next = set->blocks;
		set->blocks = b;
	}
	p = (char *)b->mem + b->used;
	b->used += bytes;
	return p;
}

void type_set_done(struct type_set *set)
{
	struct type_block *b = set->blocks;
	struct type_pattern *pattern = set->patterns;

	while (b) {
		struct type_block *next = b->next;

		free(b);
		b = next;
	}
	while (pattern) {
		struct type_pattern *next = pattern->next;

		regfree(&pattern->regex);
		free(pattern);
		pattern = next;
	}
	free(set->declared);
	*set = (struct type_set){0};
}

static struct type *push(struct reader *r, enum type_kind kind)
{
	struct type *t = take(r->set, sizeof(*t));

	t->kind = kind;
	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 32;
		r->stack = xreallocarray(r->stack, r->cap, sizeof(struct type *));
	}
	r->stack[r->n++] = t;
	return t;
}

static bool read_count(struct reader *r, char end, uint32_t *ret)
{
	uint32_t n = 0;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9' && n < 100000000)
		n = n * 10 + (uint32_t)(*r->p++ - '0');
	if (r->p >= r->end || *r->p != end)
		return false;
	r->p++;
	*ret = n;
	return true;
}

static bool read_name(struct reader *r, struct type *t)
{
	uint32_t len;
	char *name;

	if (!read_count(r, ':', &len) || (size_t)(r->end - r->p) < len)
		return false;
	name = take(r->set, len + 1);
	memcpy(name, r->p, len);
	r->p += len;
	t->name = name;
	t->len = len;
	return true;
}

/* Replace the top `n` by a type of them; NULL if there are fewer. */
static struct type *combine(struct reader *r, enum type_kind kind, uint32_t n)
{
	const struct type **items;
	struct type *t;

	if (r->n - r->nparams < n)
		return NULL;
	items = take(r->set, n * sizeof(*items) + 1);
	if (n)
		memcpy(items, r->stack + r->n - n, n * sizeof(*items));
	r->n -= n;
	t = push(r, kind);
	t->items = items;
	t->n = n;
	return t;
}

static void note_named(struct reader *r, struct type *t)
{
	if (r->nnamed == r->cap_named) {
		r->cap_named = r->cap_named ? r->cap_named * 2 : 32;
		r->named = xreallocarray(r->named, r->cap_named, sizeof(struct type *));
	}
	r->named[r->nnamed++] = t;
}

static bool read_named(struct reader *r)
{
	struct type *t = push(r, TYPE_NAMED);

	if (!read_name(r, t))
		return false;
	for (uint32_t i = 0; i < r->nparams; i++) {
		if (r->stack[i]->len == t->len && memcmp(r->stack[i]->name, t->name, t->len) == 0) {
			t->kind = TYPE_PARAM;
			t->index = i;
			return true;
		}
	}
	note_named(r, t);
	return true;
}

static bool read_number(struct reader *r)
{
	struct type *t = push(r, TYPE_LITERAL_NUMBER);

	if (!read_name(r, t) || !lua_stringtonumber(r->L, t->name))
		return false;
	t->is_integer = lua_isinteger(r->L, -1);
	t->integer = t->is_integer ? lua_tointeger(r->L, -1) : 0;
	t->number = lua_tonumber(r->L, -1);
	lua_pop(r->L, 1);
	return true;
}

/* Parameters gather at the bottom of the stack, which is empty between declarations. */
static bool read_param(struct reader *r, bool constrained)
{
	struct type *t;

	if (r->n != r->nparams + (constrained ? 1 : 0))
		return false;
	t = constrained ? combine(r, TYPE_FIELD, 1) : push(r, TYPE_FIELD);
	r->nparams++;
	return t && read_name(r, t);
}

static bool read_declaration(struct reader *r)
{
	struct type_set *set = r->set;
	struct type *body;
	struct type *t;

	if (r->n != r->nparams + 1)
		return false;
	/* The body first, then the parameters. */
	body = r->stack[r->n - 1];
	memmove(r->stack + 1, r->stack, r->nparams * sizeof(struct type *));
	r->stack[0] = body;
	r->nparams = 0;
	t = combine(r, TYPE_DECLARED, r->n);
	if (!t || !read_name(r, t))
		return false;
	r->n = 0;
	for (uint32_t i = r->first_named; i < r->nnamed; i++) {
		if (!r->named[i]->name)
			r->named[i]->target = t;
	}
	r->first_named = r->nnamed;
	set->declared = xreallocarray(set->declared, set->ndeclared + 1, sizeof(struct type *));
	set->declared[set->ndeclared++] = t;
	return true;
}

/* A pattern as Perl's heirs write it, as a POSIX extended regular expression; false if it does not fit. */
static bool translate_pattern(const char *s, size_t len, char *out, size_t cap, int *ret_flags)
{
	bool in_set = false;
	size_t n = 0;

	*ret_flags = REG_EXTENDED | REG_NOSUB;
	if (len >= 4 && memcmp(s, "(?i)", 4) == 0) {
		*ret_flags |= REG_ICASE;
		s += 4;
		len -= 4;
	}
	for (size_t i = 0; i < len; i++) {
		const char *add = NULL;
		char one[3] = {s[i], '\0', '\0'};

		if (n + 24 > cap || s[i] == '\0')
			return false;
		if (s[i] == '\\' && i + 1 < len) {
			switch (s[++i]) {
			case 'd':
				add = in_set ? "0-9" : "[0-9]";
				break;
			case 'D':
				add = "[^0-9]";
				break;
			case 'w':
				add = in_set ? "a-zA-Z0-9_" : "[a-zA-Z0-9_]";
				break;
			case 'W':
				add = "[^a-zA-Z0-9_]";
				break;
			case 's':
				add = in_set ? " \t\n\r\f\v" : "[ \t\n\r\f\v]";
				break;
			case 'S':
				add = "[^ \t\n\r\f\v]";
				break;
			case 'n':
				add = "\n";
				break;
			case 't':
				add = "\t";
				break;
			case '\0':
				return false;
			default:
				/* A class of one character keeps any of them literal; inside a class, a '-' or ']' has
				 * no escaped form. */
				if (in_set && (s[i] == ']' || s[i] == '-' || s[i] == '^'))
					return false;
				one[0] = in_set ? s[i] : '\\';
				one[1] = in_set ? '\0' : s[i];
				add = one;
			}
		} else if (in_set) {
			in_set = s[i] != ']';
			add = one;
		} else if (s[i] == '[') {
			in_set = true;
			n += (size_t)snprintf(out + n, cap - n, "[");
			if (i + 1 < len && s[i + 1] == '^')
				out[n++] = s[++i];
			if (i + 1 < len && s[i + 1] == ']')
				out[n++] = s[++i];
			continue;
		} else if (s[i] == '(' && i + 2 < len && s[i + 1] == '?' && s[i + 2] == ':') {
			i += 2;
			add = "(";
		} else {
			add = one;
		}
		n += (size_t)snprintf(out + n, cap - n, "%s", add);
	}
	out[n] = '\0';
	return !in_set;
}

static regex_t *compile_pattern(struct type_set *set, const struct type *literal)
{
	char text[PATTERN_MAX * 2];
	struct type_pattern *pattern;
	int flags;

	if (literal->kind != TYPE_LITERAL_STRING || literal->len > PATTERN_MAX ||
		!translate_pattern(literal->name, literal->len, text, sizeof(text), &flags))
		return NULL;
	pattern = xcalloc(1, sizeof(*pattern));
	if (regcomp(&pattern->regex, text, flags) != 0) {
		free(pattern);
		return NULL;
	}
	pattern->next = set->patterns;
	set->patterns = pattern;
	return &pattern->regex;
}

static bool read_validator(struct reader *r)
{
	struct type *t = combine(r, TYPE_VALIDATED, 2);

	if (!t || !read_name(r, t))
		return false;
	if (strcmp(t->name, "pattern") == 0)
		t->pattern = compile_pattern(r->set, t->items[1]);
	return true;
}

static bool read_counted(struct reader *r, enum type_kind kind, uint32_t more)
{
	uint32_t n;

	return read_count(r, ';', &n) && combine(r, kind, n + more);
}

static bool make_optional(struct reader *r)
{
	if (r->n > r->nparams && r->stack[r->n - 1]->kind == TYPE_OPTIONAL)
		return true;
	return combine(r, TYPE_OPTIONAL, 1) != NULL;
}

static bool make_field(struct reader *r, bool optional)
{
	struct type *t = combine(r, TYPE_FIELD, 1);

	if (!t || !read_name(r, t))
		return false;
	t->flag = optional;
	return true;
}

static bool make_readonly(struct reader *r)
{
	if (r->n == r->nparams)
		return false;
	r->stack[r->n - 1]->is_readonly = true;
	return true;
}

static bool read_one(struct reader *r)
{
	static const char primitives[] = "nbdisauvtfhxe"; /* in the order of enum type_kind */
	char op = *r->p++;
	const char *primitive = op ? strchr(primitives, op) : NULL;

	if (primitive) {
		push(r, (enum type_kind)(primitive - primitives));
		return true;
	}
	switch (op) {
	case '1':
	case '0':
		push(r, TYPE_LITERAL_BOOLEAN)->flag = op == '1';
		return true;
	case 'S':
		note_named(r, push(r, TYPE_NAMED));
		return true;
	case 'Q':
		return read_name(r, push(r, TYPE_LITERAL_STRING));
	case 'N':
		return read_number(r);
	case 'R':
		return read_named(r);
	case 'I':
		return read_counted(r, TYPE_INSTANCE, 1);
	case '[':
		return combine(r, TYPE_ARRAY, 1);
	case 'M':
		return combine(r, TYPE_MAP, 2);
	case 'k':
	case 'o':
		return make_field(r, op == 'o');
	case '{':
		return read_counted(r, TYPE_RECORD, 0);
	case 'r':
		return make_readonly(r);
	case '|':
		return read_counted(r, TYPE_UNION, 0);
	case '&':
		return read_counted(r, TYPE_INTERSECTION, 0);
	case '?':
		return make_optional(r);
	case ',':
		return read_counted(r, TYPE_TUPLE, 0);
	case '.':
		return combine(r, TYPE_VARIADIC, 1);
	case '(':
		return read_counted(r, TYPE_FUNCTION, 1);
	case 'y':
		return combine(r, TYPE_KEYOF, 1);
	case 'X':
		return combine(r, TYPE_INDEX, 2);
	case 'C':
		return combine(r, TYPE_CONDITIONAL, 4);
	case '@':
		return read_validator(r);
	case 'p':
	case 'c':
		return read_param(r, op == 'c');
	case 'D':
		return read_declaration(r);
	default:
		return false;
	}
}

static void resolve_names(struct reader *r)
{
	struct map *by_name = map_new();

	for (uint32_t i = 0; i < r->set->ndeclared; i++) {
		const struct type *t = r->set->declared[i];

		if (!map_has(by_name, t->name))
			map_set(by_name, t->name, (void *)(uintptr_t)t);
	}
	for (uint32_t i = 0; i < r->nnamed; i++) {
		struct type *t = r->named[i];

		if (t->target)
			continue;
		t->target = map_get(by_name, t->name);
		if (!t->target)
			r->set->is_foreign = true;
	}
	map_free(by_name, NULL);
}

int type_set_read(struct type_set *set, lua_State *L, const char *text, size_t len, struct err *e)
{
	struct reader r = {.set = set, .L = L, .p = text, .end = text + len};
	int rc = 0;

	*set = (struct type_set){0};
	while (rc == 0 && r.p < r.end) {
		if (!read_one(&r))
			rc = err_set(e, ERR_INTERNAL, "malformed type text at offset %zu", (size_t)(r.p - text));
	}
	if (rc == 0 && r.n > 0)
		rc = err_set(e, ERR_INTERNAL, "malformed type text: it ends inside a declaration");
	if (rc == 0)
		resolve_names(&r);
	else
		type_set_done(set);
	free(r.stack);
	free(r.named);
	return rc;
}
