/*
 * yaml.c - YAML text to values. See yaml.h
 *
 * libfyaml turns the text into events; the tree is built here, on a stack of our own, so that limits hold before
 * anything grows. What an anchor names is finished before an alias can refer to it, so aliases share it by reference
 * and no tree can contain itself; its size and height are remembered, since whoever walks the tree sees it expanded.
 */
#include "value/yaml.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <libfyaml.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/utf8.h"
#include "value/yaml_block.h"
#include "value/yaml_scalar.h"
#include "value/yaml_text.h"

struct position {
	uint32_t line; /* 1-based */
	uint32_t column;
};

/* What somebody who walks a tree meets, aliases expanded. */
struct weight {
	size_t nodes;
	size_t bytes; /* of keys and strings */
};

/* A list or map that is not finished. */
struct frame {
	struct value *v;
	char *key; /* the key that waits for its value */
	struct position key_at;
	bool merging;         /* that key is a plain "<<" */
	struct value *merges; /* maps to merge when the map ends, in order; NULL when none */
	char *anchor;
	struct weight before; /* of the document up to here */
	unsigned height;
};

struct anchor {
	struct value *v;
	struct weight weight;
	unsigned height; /* levels of lists and maps */
};

struct yaml {
	const char *name;
	const char *text;
	size_t len;
	struct err *e;
	struct frame stack[YAML_DEPTH_MAX];
	unsigned depth;
	struct value *root;
	struct map *anchors; /* name to struct anchor */
	struct weight weight;
	bool times;         /* plain scalars may be timestamps */
	bool ended;         /* the first document is complete */
	size_t key_end;     /* where the last key ended in the text */
	struct position at; /* of the last node that had one */
};

static void anchor_free(void *p)
{
	struct anchor *a = p;

	value_unref(a->v);
	free(a);
}

static int __attribute__((format(printf, 3, 4))) fail(const struct yaml *y, struct position at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(y->e, ERR_INVALID, fmt, ap);
	va_end(ap);
	return err_prefix(y->e, "%s:%" PRIu32 ":%" PRIu32, y->name, at.line, at.column);
}

static int add_weight(struct yaml *y, struct weight more)
{
	if (more.nodes > YAML_NODES_MAX - y->weight.nodes)
		return fail(y, y->at, "more than %d nodes after expanding aliases", YAML_NODES_MAX);
	if (more.bytes > YAML_EXPANDED_BYTES_MAX - y->weight.bytes)
		return fail(y, y->at, "more than %d bytes after expanding aliases", YAML_EXPANDED_BYTES_MAX);
	y->weight.nodes += more.nodes;
	y->weight.bytes += more.bytes;
	return 0;
}

static void remember_anchor(struct yaml *y, const char *name, struct value *v, struct weight weight, unsigned height)
{
	struct anchor *a = xmalloc(sizeof(*a));
	void *old;

	*a = (struct anchor){.v = value_ref(v), .weight = weight, .height = height};
	old = map_set(y->anchors, name, a);
	if (old)
		anchor_free(old);
}

/* A copy of the token's text, NULL if there is no token. */
static char *token_text(struct fy_token *token)
{
	size_t len = 0;
	const char *text = token ? fy_token_get_text(token, &len) : NULL;

	return text ? xmemdupz(text, len) : NULL;
}

/* Append the value of a "<<" to the maps to merge. Takes `v`. */
static int add_merge(struct yaml *y, struct frame *top, struct value *v)
{
	bool fits = value_type(v) == VALUE_MAP || value_type(v) == VALUE_LIST;

	for (size_t i = 0; fits && value_type(v) == VALUE_LIST && i < value_count(v); i++)
		fits = value_type(value_at(v, i)) == VALUE_MAP;
	if (!fits) {
		value_unref(v);
		return fail(y, top->key_at, "the value of '<<' must be a map or a list of maps");
	}
	top->merges = v;
	return 0;
}

/* Put the finished `v` where it belongs. Takes it. `height` counts the levels of lists and maps in it. */
static int place(struct yaml *y, struct value *v, unsigned height)
{
	struct frame *top = y->depth > 0 ? &y->stack[y->depth - 1] : NULL;
	int rc = 0;

	if (!top) {
		assert(!y->root);
		y->root = v;
		return 0;
	}
	if (top->height < height + 1)
		top->height = height + 1;
	if (value_type(top->v) == VALUE_LIST) {
		value_list_append(top->v, v);
		return 0;
	}
	assert(top->key);
	if (top->merging)
		rc = add_merge(y, top, v);
	else
		value_map_set_at(top->v, top->key, top->key_at.line, v);
	free(top->key);
	top->key = NULL;
	top->merging = false;
	return rc;
}

/* True if the next node is the key of a map. */
static bool key_expected(const struct yaml *y)
{
	return y->depth > 0 && value_type(y->stack[y->depth - 1].v) == VALUE_MAP && !y->stack[y->depth - 1].key;
}

static int set_key(struct yaml *y, const char *text, size_t len, bool plain)
{
	struct frame *top = &y->stack[y->depth - 1];
	bool merging;

	assert(text);
	merging = plain && len == 2 && memcmp(text, "<<", 2) == 0;

	if (memchr(text, '\0', len))
		return fail(y, y->at, "a key must not contain a NUL");
	top->key = xmemdupz(text, len);
	top->key_at = y->at;
	if (merging ? top->merges != NULL : value_get(top->v, top->key) != NULL)
		return fail(y, y->at, "duplicate key '%s'", top->key);
	top->merging = merging;
	return 0;
}

/*
 * The text of a scalar in single quotes, decoded here: libfyaml 0.7.12 reads 'a''''b' as a''', and gives no text at all
 * for a longer run of quotes.
 */
static void single_quoted_text(const struct yaml *y, size_t start, size_t end, struct buf *out)
{
	size_t stop = end < y->len ? end : y->len;

	for (size_t i = start; i < stop; i++) {
		char c = y->text[i];
		size_t breaks = 0;

		if (c == '\'') {
			buf_addc(out, c);
			i++; /* there are always two */
			continue;
		}
		if (c != '\n') {
			buf_addc(out, c);
			continue;
		}
		/* Flow folding (YAML 1.2.2 section 7.3.2): blanks around a line break go, one break is a blank, of
		 * several the first goes. */
		while (buf_len(out) > 0 && strchr(" \t", buf_data(out)[buf_len(out) - 1]))
			buf_truncate(out, buf_len(out) - 1);
		for (; i < stop && strchr(" \t\n", y->text[i]); i++)
			breaks += y->text[i] == '\n';
		i--;
		if (breaks == 1)
			buf_addc(out, ' ');
		for (; breaks > 1; breaks--)
			buf_addc(out, '\n');
	}
}

/* The text of a scalar, which libfyaml is not trusted with. `out` is for a text that is not in the token. */
static int scalar_text(
	const struct yaml *y, struct fy_token *token, struct buf *out, const char **ret_text, size_t *ret_len)
{
	enum fy_scalar_style style = token ? fy_token_scalar_style(token) : FYSS_PLAIN;
	const struct fy_mark *start = token ? fy_token_start_mark(token) : NULL;
	const struct fy_mark *end = token ? fy_token_end_mark(token) : NULL;
	const char *problem = NULL;
	const char *text = "";
	size_t len = 0;

	if (style == FYSS_SINGLE_QUOTED && start && end) {
		single_quoted_text(y, start->input_pos, end->input_pos, out);
	} else if ((style == FYSS_LITERAL || style == FYSS_FOLDED) && start && end) {
		problem = yaml_block_text(
			&(struct yaml_block){
				.text = y->text,
				.len = y->len,
				.header = y->key_end < start->input_pos ? y->key_end : 0,
				.start = start->input_pos < y->len ? start->input_pos : y->len,
				.end = end->input_pos,
				.indent = y->depth > 0 ? value_column(y->stack[y->depth - 1].v) : 0,
			},
			out);
		if (problem)
			return fail(y, y->at, "%s", problem);
	} else if (token) {
		text = fy_token_get_text(token, &len);
		if (!text)
			return fail(y, y->at, "the scalar cannot be decoded, write it in another style");
		/* A plain scalar has no escapes, so a NUL can only be the terminator. */
		if (style != FYSS_DOUBLE_QUOTED)
			len = strnlen(text, len);
	}
	if (buf_len(out) > 0) {
		text = buf_data(out);
		len = buf_len(out);
	}
	if (!utf8_is_valid(text, len))
		return fail(y, y->at, "an escape names no character");
	*ret_text = text;
	*ret_len = len;
	return 0;
}

static int on_scalar(struct yaml *y, struct fy_event *event)
{
	struct fy_token *token = fy_event_get_token(event);
	bool plain = !token || fy_token_scalar_style(token) == FYSS_PLAIN;
	char *anchor = token_text(fy_event_get_anchor_token(event));
	char *tag = token_text(fy_event_get_tag_token(event)); /* written in full */
	struct buf decoded = BUF_INIT;
	struct value *v = NULL;
	const char *text = NULL;
	struct weight weight;
	size_t len = 0;
	int rc = -1;

	if (scalar_text(y, token, &decoded, &text, &len) < 0)
		goto out;
	weight = (struct weight){1, len};
	if (add_weight(y, weight) < 0)
		goto out;
	if (tag)
		v = yaml_tagged_scalar(tag, text, len);
	else if (plain && y->times && !key_expected(y))
		v = yaml_plain_scalar_or_time(text, len);
	else
		v = plain ? yaml_plain_scalar(text, len) : value_string(text, len);
	if (!v) {
		fail(y, y->at, "the scalar does not fit its tag '%s', or the tag is not supported", tag);
		goto out;
	}
	value_set_position(v, y->at.line, y->at.column);
	if (anchor)
		remember_anchor(y, anchor, v, weight, 0);
	if (key_expected(y)) {
		if (token && fy_token_end_mark(token))
			y->key_end = fy_token_end_mark(token)->input_pos;
		rc = set_key(y, text, len, plain && !tag);
	} else {
		rc = place(y, v, 0);
		v = NULL;
	}
out:
	value_unref(v);
	buf_done(&decoded);
	free(anchor);
	free(tag);
	return rc;
}

static int on_alias(struct yaml *y, struct fy_event *event)
{
	char *name = token_text(fy_event_get_token(event));
	const struct anchor *a = name ? map_get(y->anchors, name) : NULL;
	const char *text;
	size_t len;

	if (!a)
		fail(y, y->at, "alias '*%s' has no finished anchor before it", name ? name : "");
	free(name);
	if (!a)
		return -1;
	if (add_weight(y, a->weight) < 0)
		return -1;
	if (y->depth + a->height > YAML_DEPTH_MAX)
		return fail(y, y->at, "nested deeper than %d levels after expanding aliases", YAML_DEPTH_MAX);
	if (key_expected(y)) {
		if (value_type(a->v) != VALUE_STRING)
			return fail(y, y->at, "an alias used as a key must name a string");
		text = value_get_string(a->v, &len);
		return set_key(y, text, len, false);
	}
	return place(y, value_ref(a->v), a->height);
}

static int on_start(struct yaml *y, struct fy_event *event, enum value_type type)
{
	char *tag = token_text(fy_event_get_tag_token(event)); /* written in full */
	bool fits = !tag || yaml_tag_fits_collection(tag, type);
	struct frame *top;

	if (!fits)
		fail(y, y->at, "a %s cannot have the tag '%s'", type == VALUE_LIST ? "list" : "map", tag);
	free(tag);
	if (!fits)
		return -1;
	if (key_expected(y))
		return fail(y, y->at, "a key must be a scalar, not a list or a map");
	if (y->depth == YAML_DEPTH_MAX)
		return fail(y, y->at, "nested deeper than %d levels", YAML_DEPTH_MAX);
	top = &y->stack[y->depth++];
	*top = (struct frame){
		.v = type == VALUE_LIST ? value_list() : value_map(),
		.anchor = token_text(fy_event_get_anchor_token(event)),
		.before = y->weight,
		.height = 1,
	};
	value_set_position(top->v, y->at.line, y->at.column);
	return add_weight(y, (struct weight){1, 0});
}

/* Add the pairs of `from` that `map` lacks. */
static void merge_map(struct value *map, const struct value *from)
{
	for (size_t i = 0; i < value_count(from); i++) {
		const char *key;
		uint32_t line;
		const struct value *item = value_pair(from, i, &key, &line);

		if (!value_get(map, key))
			value_map_set_at(map, key, line, value_ref((struct value *)item));
	}
}

static void frame_done(struct frame *f)
{
	value_unref(f->v);
	value_unref(f->merges);
	free(f->key);
	free(f->anchor);
}

static int on_end(struct yaml *y)
{
	struct frame f = y->stack[--y->depth];
	int rc;

	if (value_type(f.merges) == VALUE_MAP)
		merge_map(f.v, f.merges);
	for (size_t i = 0; value_type(f.merges) == VALUE_LIST && i < value_count(f.merges); i++)
		merge_map(f.v, value_at(f.merges, i));
	if (f.anchor)
		remember_anchor(y, f.anchor, f.v,
			(struct weight){y->weight.nodes - f.before.nodes, y->weight.bytes - f.before.bytes}, f.height);
	rc = place(y, f.v, f.height);
	f.v = NULL;
	frame_done(&f);
	return rc;
}

/* Returns 1 when the first document is over. */
static int on_event(struct yaml *y, struct fy_event *event)
{
	const struct fy_mark *mark = fy_event_start_mark(event);

	/* A value that is not written at all has no mark: it gets that of its key. */
	if (mark && mark->line >= 0 && mark->column >= 0)
		y->at = (struct position){(uint32_t)mark->line + 1, (uint32_t)mark->column + 1};
	switch (event->type) {
	case FYET_SCALAR:
		return on_scalar(y, event);
	case FYET_ALIAS:
		return on_alias(y, event);
	case FYET_SEQUENCE_START:
		return on_start(y, event, VALUE_LIST);
	case FYET_MAPPING_START:
		return on_start(y, event, VALUE_MAP);
	case FYET_SEQUENCE_END:
	case FYET_MAPPING_END:
		return on_end(y);
	case FYET_DOCUMENT_START:
		/* libfyaml ends the document where its node ends and takes what is left for another one. */
		if (y->ended && fy_document_event_is_implicit(event))
			return fail(y, y->at, "unexpected text after the end of the document");
		return y->ended;
	case FYET_DOCUMENT_END:
		y->ended = true;
		return !fy_document_event_is_implicit(event);
	case FYET_STREAM_END:
		return 1;
	default:
		return 0;
	}
}

/* The first complaint that libfyaml collected. */
static int fail_from_diag(const struct yaml *y, struct fy_diag *diag)
{
	struct fy_diag_error *error;
	void *pos = NULL;

	while ((error = fy_diag_errors_iterate(diag, &pos)) != NULL) {
		struct position at = y->at;

		if (error->type < FYET_ERROR)
			continue;
		if (error->line > 0)
			at = (struct position){(uint32_t)error->line, error->column > 0 ? (uint32_t)error->column : 1};
		return fail(y, at, "%s", error->msg && *error->msg ? error->msg : "the text is not YAML");
	}
	return fail(y, y->at, "the text is not YAML");
}

static int build(struct yaml *y)
{
	struct fy_diag_cfg diag_cfg;
	struct fy_diag *diag;
	struct fy_parser *parser = NULL;
	struct fy_event *event;
	int rc = -1;

	/* Errors are collected, or libfyaml would print them. */
	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag_cfg.level = FYET_ERROR;
	diag = fy_diag_create(&diag_cfg);
	if (!diag)
		return err_set(y->e, ERR_INTERNAL, "%s: the YAML parser could not start", y->name);
	fy_diag_set_collect_errors(diag, true);
	parser = fy_parser_create(&(struct fy_parse_cfg){
		/* Its own depth limit is 64, ours is kept in on_start(). */
		.flags = FYPCF_QUIET | FYPCF_DISABLE_DEPTH_LIMIT | FYPCF_JSON_NONE | FYPCF_DEFAULT_VERSION_1_2,
		.diag = diag,
	});
	if (!parser || fy_parser_set_string(parser, y->text, y->len) != 0) {
		err_set(y->e, ERR_INTERNAL, "%s: the YAML parser could not start", y->name);
		goto out;
	}
	do {
		event = fy_parser_parse(parser);
		if (!event) {
			rc = fail_from_diag(y, diag);
			break;
		}
		rc = on_event(y, event);
		fy_parser_event_free(parser, event);
	} while (rc == 0);
	if (rc > 0)
		rc = 0;
out:
	if (parser)
		fy_parser_destroy(parser);
	fy_diag_destroy(diag);
	return rc;
}

static int parse(const char *name, const char *text, size_t len, bool times, struct value **ret_value, struct err *e)
{
	struct err local; /* fail() formats in two steps, which needs a place */
	char *prepared;
	struct yaml *y;
	int rc = -1;

	if (!e)
		e = &local;
	if (yaml_prepare_text(name, text, len, &prepared, &len, e) < 0)
		return -1;
	y = xcalloc(1, sizeof(*y));
	y->text = prepared;
	y->len = len;
	y->name = name;
	y->times = times;
	y->e = e;
	y->at = (struct position){1, 1};
	y->anchors = map_new();
	if (len > 0 && build(y) < 0)
		goto out;
	*ret_value = y->root ? y->root : value_nil();
	y->root = NULL;
	rc = 0;
out:
	while (y->depth > 0)
		frame_done(&y->stack[--y->depth]);
	value_unref(y->root);
	map_free(y->anchors, anchor_free);
	free(y);
	free(prepared);
	return rc;
}

int yaml_parse(const char *name, const char *text, size_t len, struct value **ret_value, struct err *e)
{
	return parse(name, text, len, false, ret_value, e);
}

int yaml_parse_with_times(const char *name, const char *text, size_t len, struct value **ret_value, struct err *e)
{
	return parse(name, text, len, true, ret_value, e);
}
