/* What front_lint() says about a source, as text to compare with. */
#ifndef TEST_LINT_RUN_H
#define TEST_LINT_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "engine/front_lint.h"

static inline void add_problems(struct buf *out, const struct lint_report *r)
{
	static const char *const rules[] = {"syntax", "empty", "global", "self", "local", "param", "import", "shadow"};

	for (size_t i = 0; i < r->nproblems; i++) {
		const struct lint_problem *p = &r->problems[i];

		buf_addf(out, "%u:%u+%u %s: %s", p->place.line, p->place.column, p->place.len, rules[p->rule], p->text);
		if (p->other_line)
			buf_addf(out, " %u", p->other_line);
		buf_addc(out, '\n');
	}
}

static inline void add_uses(struct buf *out, const struct lint_report *r)
{
	static const char *const names[] = {"read", "write", "require", "type", "mention"};

	for (size_t i = 0; i < r->nuses; i++) {
		const struct lint_use *u = &r->uses[i];

		buf_addf(out, "%u:%u+%u %s %s%s%s\n", u->place.line, u->place.column, u->place.len, names[u->access],
			u->path, u->is_global ? "" : " (local)", u->is_tested ? " (tested)" : "");
	}
}

static inline void add_export(struct buf *out, const struct lint_report *r)
{
	static const char *const names[] = {"unknown", "nothing", "function", "table"};

	buf_addf(out, "%u:%u %s", r->export_place.line, r->export_place.column, names[r->export]);
	for (size_t i = 0; r->export == LINT_EXPORT_TABLE && i < r->nfields; i++)
		buf_addf(out, " %s", r->fields[i]);
	buf_addc(out, '\n');
}

typedef void add_fn(struct buf *out, const struct lint_report *r);

static inline void check_lint(add_fn *add, const char *source, const char *expected)
{
	struct lint_report *r = front_lint(source, strlen(source));
	struct buf out = BUF_INIT;

	add(&out, r);
	if (strcmp(buf_str(&out), expected) != 0)
		fail_msg("%s\n  gives\n%s\n  expected\n%s", source, buf_str(&out), expected);
	buf_done(&out);
	lint_report_free(r);
}

#endif
