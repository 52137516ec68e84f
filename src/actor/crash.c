#include "actor/crash.h"

#include <string.h>

#include "base/buf.h"
#include "value/json.h"
#include "value/value.h"

/* The lines of `stack` as a JSON list. */
static void write_stack(const char *stack, struct buf *out)
{
	struct value *list = value_list();

	while (stack && *stack) {
		size_t len = strcspn(stack, "\n");

		value_list_append(list, value_string(stack, len));
		stack += len + (stack[len] == '\n');
	}
	json_write(list, out);
	value_unref(list);
}

void crash_log(enum log_level level, const struct crash *c)
{
	const struct failure *f = c->failure;
	struct buf stack = BUF_INIT;
	char text[PID_TEXT_MAX];

	if (!log_enabled(level))
		return;
	write_stack(f->stack, &stack);
	LOG_AT(level, "process", "process failed", LOG_STR("entry", c->entry), LOG_STR("pid", pid_format(c->pid, text)),
		LOG_STR("actor", c->actor ? c->actor : ""), LOG_STR("started_by", c->starter ? c->starter : ""),
		LOG_STR("started_by_entry", c->starter_entry ? c->starter_entry : ""), LOG_STR("error", f->message),
		LOG_STR("kind", f->kind),
		((struct log_field){.key = "stack", .type = LOG_TYPE_JSON, .str = buf_str(&stack)}));
	buf_done(&stack);
}
