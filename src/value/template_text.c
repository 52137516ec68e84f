/*
 * template_text.c - the text of a template between its actions, and where they begin and end.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "value/template_parse.h"

static void count_lines(struct parser *p, const char *from, const char *to)
{
	for (; from < to; from++)
		p->line += *from == '\n';
}

/* Where the action that begins at `at` ends; NULL: nowhere. Strings may hold braces. */
static const char *find_action_end(const char *at, const char *end)
{
	for (; end - at >= 2; at++) {
		if (at[0] == '}' && at[1] == '}')
			return at;
		if (*at == '"' || *at == '\'' || *at == '`') {
			char quote = *at;

			for (at++; at < end && *at != quote && !(*at == '\n' && quote != '`'); at++)
				at += *at == '\\' && quote != '`' && end - at > 1;
		}
	}
	return NULL;
}

struct action *template_read_text(struct parser *p)
{
	const char *from = p->at, *stop = p->at, *text_end;
	struct action *a;

	while (p->end - stop >= 2 && !(stop[0] == '{' && (stop[1] == '{' || stop[1] == '*')))
		stop++;
	if (p->end - stop < 2)
		stop = p->end;
	p->at = stop;
	text_end = stop;
	if (p->trim) {
		while (from < text_end && is_blank(*from))
			from++;
	}
	if (p->end - stop >= 4 && stop[1] == '{' && stop[2] == '-' && is_blank(stop[3])) {
		while (from < text_end && is_blank(text_end[-1]))
			text_end--;
	}
	if (stop < p->end && stop[1] == '{')
		p->trim = false;
	count_lines(p, stop - (stop - from), stop);
	if (from == text_end)
		return NULL;
	a = xcalloc(1, sizeof(*a));
	a->type = ACTION_TEXT;
	a->place.line = p->line;
	a->text = xmemdupz(from, (size_t)(text_end - from));
	a->len = (size_t)(text_end - from);
	a->all = p->t->actions;
	p->t->actions = a;
	return a;
}

int template_skip_comment(struct parser *p)
{
	const char *stop = memmem(p->at + 2, (size_t)(p->end - p->at - 2), "*}", 2);

	if (!stop)
		return fail(p, "unclosed comment");
	count_lines(p, p->at, stop);
	p->at = stop + 2;
	return 0;
}

int template_open_action(struct parser *p)
{
	const char *from = p->at + 2, *stop = find_action_end(from, p->end), *last;

	if (!stop)
		return fail(p, "unclosed action");
	last = stop;
	if (stop - from >= 2 && from[0] == '-' && is_blank(from[1]))
		from++;
	if (last - from >= 2 && last[-1] == '-' && is_blank(last[-2])) {
		last--;
		p->trim = true;
	}
	expr_lexer_done(&p->lexer);
	expr_lexer_init(&p->lexer, from, (size_t)(last - from), p->e);
	p->lexer.line = p->line;
	while (p->lexer.line_start > p->t->source && p->lexer.line_start[-1] != '\n')
		p->lexer.line_start--;
	p->at = stop + 2;
	count_lines(p, from, stop);
	return next(p);
}
