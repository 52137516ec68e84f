/*
 * template.h - text templates in the syntax of Jet: `{{ expression }}`, if, range, blocks that other templates fill in.
 *
 *     {{ extends "layout" }} {{ import "blocks" }} {{ include "row" . }}
 *     {{ if a > 1 && b }} .. {{ else if c }} .. {{ else }} .. {{ end }}
 *     {{ range i, v := list }} .. {{ else }} .. {{ end }}            without names the item is `.`
 *     {{ block item(title, size="small") . }} .. {{ yield content }} .. {{ content }} .. {{ end }}
 *     {{ yield item(title="x") . content }} .. {{ end }}
 *     {{ x := 1 }} {{ x = 2 }} {{ x | upper | repeat: 2 }} {{ len(x) }}   {* a comment *}   {{- trims -}}
 *     {{ try }} .. {{ catch err }} .. {{ end }}
 *
 * What an expression gives is written with & < > " ' escaped for HTML; `raw` (or `unsafe`), `safeJs` and `writeJson` at the end of a pipeline
 * write otherwise. Functions: template_function.c. There is no function with a side effect and no clock.
 *
 * A parsed template never changes; a set of them may be changed and read by any thread, a rendering keeps what it began with. Source, nesting,
 * steps and output are bounded.
 */
#ifndef VALUE_TEMPLATE_H
#define VALUE_TEMPLATE_H

#include "base/buf.h"
#include "base/err.h"
#include "value/value.h"

enum {
	TEMPLATE_SOURCE_BYTES_MAX = 1024 * 1024,
	TEMPLATE_NESTING_MAX = 100, /* of a source, of expressions and actions */
	TEMPLATE_DEPTH_MAX = 300,   /* of a rendering: blocks in blocks in includes */
	TEMPLATE_OUTPUT_BYTES_MAX = 16 * 1024 * 1024,
};

struct template;
struct template_set;

/* INVALID "template <name>:<line>: ...". */
int template_parse(const char *name, const char *source, size_t len, struct template **ret_template, struct err *e);
void template_unref(struct template *t); /* NULL is fine */

struct template_set *template_set_new(void);
struct template_set *template_set_ref(struct template_set *s); /* NULL gives NULL */
void template_set_unref(struct template_set *s);               /* NULL is fine */
/* Takes a reference; a template of that name is replaced. */
void template_set_put(struct template_set *s, const char *name, struct template *t);
void template_set_remove(struct template_set *s, const char *name); /* absent is fine */

/* Append what the template gives for `data`, whose fields are variables and which is `.` as a whole; may be NULL. NOT_FOUND "template not found: <name>" for
 * the outermost name; INTERNAL "template <name>: ... (line:column)" otherwise. "./page.jet" is also found as "page". */
int template_render(struct template_set *s, const char *name, const struct value *data, struct buf *out, struct err *e);

#endif
