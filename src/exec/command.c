#include "exec/command.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"

static void add_word(struct exec_words *w, char *text)
{
	w->items = xreallocarray(w->items, w->count + 2, sizeof(char *));
	w->items[w->count++] = text;
	w->items[w->count] = NULL;
}

void exec_words_done(struct exec_words *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->items[i]);
	free(w->items);
	*w = (struct exec_words){0};
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The word at *p, without its quotes; moves *p behind it. NULL when a quote stays open. */
static char *take_word(const char **p, const char *end)
{
	struct buf b = BUF_INIT;
	char quote = 0;

	for (; *p < end && (quote || !is_blank(**p)); (*p)++) {
		if (quote && **p == quote)
			quote = 0;
		else if (!quote && (**p == '\'' || **p == '"'))
			quote = **p;
		else
			buf_addc(&b, **p);
	}
	if (quote) {
		buf_done(&b);
		return NULL;
	}
	if (buf_len(&b) == 0) { /* '' */
		buf_done(&b);
		return xstrdup("");
	}
	return buf_detach(&b, NULL);
}

int exec_split(const char *line, size_t len, struct exec_words *ret, struct err *e)
{
	const char *p = line, *end = line + len;
	struct exec_words w = {0};
	int rc = -1;

	if (len > EXEC_COMMAND_BYTES_MAX)
		return err_set(e, ERR_INVALID, "command is longer than %d bytes", EXEC_COMMAND_BYTES_MAX);
	if (memchr(line, '\0', len))
		return err_set(e, ERR_INVALID, "command contains a NUL byte");
	for (;;) {
		char *word;

		while (p < end && is_blank(*p))
			p++;
		if (p == end)
			break;
		if (w.count == EXEC_WORDS_MAX) {
			err_set(e, ERR_INVALID, "command has more than %d words", EXEC_WORDS_MAX);
			goto out;
		}
		word = take_word(&p, end);
		if (!word) {
			err_set(e, ERR_INVALID, "command has a quote that is not closed");
			goto out;
		}
		add_word(&w, word);
	}
	if (w.count == 0 || !w.items[0][0]) {
		err_set(e, ERR_INVALID, "command is required");
		goto out;
	}
	*ret = w;
	w = (struct exec_words){0};
	rc = 0;
out:
	exec_words_done(&w);
	return rc;
}

/* -- environment ------------------------------------------------------------------------------------ */

static int add_variable(struct exec_words *w, size_t *bytes, const char *name, const struct value *v, struct err *e)
{
	char number[NUMBER_TEXT_MAX];
	const char *text;
	size_t len = 0;

	switch (value_type(v)) {
	case VALUE_STRING:
		text = value_get_string(v, &len);
		break;
	case VALUE_INT:
		len = number_format_int(value_get_int(v), number);
		text = number;
		break;
	case VALUE_FLOAT:
		len = number_format_float(value_get_float(v), number);
		text = number;
		break;
	case VALUE_BOOL:
		text = value_get_bool(v) ? "true" : "false";
		len = strlen(text);
		break;
	default:
		return err_set(e, ERR_INVALID, "environment variable '%.64s' must be a text", name);
	}
	if (!name[0] || strchr(name, '='))
		return err_set(e, ERR_INVALID, "'%.64s' is no name of an environment variable", name);
	if (memchr(text, '\0', len))
		return err_set(e, ERR_INVALID, "environment variable '%.64s' contains a NUL byte", name);
	*bytes += strlen(name) + len + 2;
	if (w->count >= EXEC_ENV_MAX || *bytes > EXEC_ENV_BYTES_MAX)
		return err_set(e, ERR_INVALID, "the environment is larger than %d variables or %d KiB", EXEC_ENV_MAX,
			EXEC_ENV_BYTES_MAX >> 10);
	add_word(w, xasprintf("%s=%.*s", name, (int)len, text));
	return 0;
}

int exec_environment(const struct value *base, const struct value *over, struct exec_words *ret, struct err *e)
{
	struct exec_words w = {0};
	size_t bytes = 0;
	const char *name;

	w.items = xcalloc(1, sizeof(char *));
	for (size_t i = 0; i < value_count(base); i++) {
		const struct value *v = value_pair(base, i, &name, NULL);

		if (!value_get(over, name) && add_variable(&w, &bytes, name, v, e) < 0)
			goto fail;
	}
	for (size_t i = 0; i < value_count(over); i++) {
		const struct value *v = value_pair(over, i, &name, NULL);

		if (add_variable(&w, &bytes, name, v, e) < 0)
			goto fail;
	}
	*ret = w;
	return 0;
fail:
	exec_words_done(&w);
	return -1;
}

/* -- executors -------------------------------------------------------------------------------------- */

struct exec_native *exec_native_new(const char *work_dir, struct value *env, struct value *whitelist)
{
	struct exec_native *n = xcalloc(1, sizeof(*n));

	refcount_init(&n->refs);
	n->work_dir = xstrdup(work_dir);
	n->env = env;
	n->whitelist = whitelist;
	return n;
}

struct exec_native *exec_native_ref(struct exec_native *n)
{
	refcount_inc(&n->refs);
	return n;
}

void exec_native_unref(struct exec_native *n)
{
	if (!n || !refcount_dec(&n->refs))
		return;
	free(n->work_dir);
	value_unref(n->env);
	value_unref(n->whitelist);
	free(n);
}

bool exec_native_allows(const struct exec_native *n, const char *command, size_t len)
{
	if (!n->whitelist)
		return true;
	for (size_t i = 0; i < value_count(n->whitelist); i++) {
		size_t item_len;
		const char *item = value_get_string(value_at(n->whitelist, i), &item_len);

		if (item_len == len && memcmp(item, command, len) == 0)
			return true;
	}
	return false;
}
