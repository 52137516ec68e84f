#include "engine/failure.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct failure *failure_new(const char *kind, enum err_retry retry, const char *message, size_t message_len,
	struct value *details, const char *stack, struct failure *cause)
{
	struct failure *f = xcalloc(1, sizeof(*f));

	refcount_init(&f->refs);
	f->kind = xstrdup(kind ? kind : "");
	f->retry = retry;
	f->message = xmemdupz(message ? message : "", message ? message_len : 0);
	f->message_len = message ? message_len : 0;
	f->details = details;
	f->stack = stack ? xstrdup(stack) : NULL;
	f->cause = cause;
	return f;
}

struct failure *failure_from_err(const struct err *e)
{
	struct value *details = NULL;

	if (e->code) {
		details = value_map();
		value_map_set(details, "code", value_cstring(e->code));
	}
	return failure_new(err_kind_name(e->kind), e->retry, e->text, strlen(e->text), details, NULL, NULL);
}

/* Codes are static words; one that came back from a program cannot be told from them, so it stays in the details only. */
int failure_to_err(const struct failure *f, struct err *e)
{
	err_set(e, err_kind_from_name(f->kind), "%s", f->message);
	if (e)
		e->retry = f->retry;
	return -1;
}

struct failure *failure_ref(struct failure *f)
{
	refcount_inc(&f->refs);
	return f;
}

void failure_unref(struct failure *f)
{
	/* A chain of causes is freed step by step: it may be long. */
	while (f && refcount_dec(&f->refs)) {
		struct failure *cause = f->cause;

		value_unref(f->details);
		free(f->kind);
		free(f->message);
		free(f->stack);
		free(f);
		f = cause;
	}
}
