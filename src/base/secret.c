/*
 * secret.c - secrets, and the list of those alive that texts are searched for.
 *
 * The list is short and searches are rare (a record that is really written, an error that is really printed), so a search tries each
 * secret at each byte that one of them begins with. Of several that fit, the longest is taken: one may be a part of another.
 */
#include "base/secret.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

struct secret {
	size_t len;
	char text[];
};

/* The forms in which a text may turn up. */
enum { FORM_PLAIN, FORM_JSON, FORM_ESCAPED, FORMS };

struct sought {
	char *forms[FORMS]; /* NULL: the same as the plain one */
	size_t lens[FORMS];
	unsigned uses;
};

static struct {
	pthread_rwlock_t lock;
	struct sought *items;
	size_t count;
	unsigned begins[256]; /* how many forms begin with that byte */
	atomic_size_t any;    /* = count, for a look without the lock */
} list = {.lock = PTHREAD_RWLOCK_INITIALIZER};

/* Wipe and free a text; NULL is fine. */
static void secret_wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

/* -- the list ------------------------------------------------------------------------------------------- */

/* The bytes of a buf that is given away are not copied any more, but growing it may have left some: so there is room from the start. */
static char *in_json(const char *text, size_t len)
{
	static const char short_of[] = "\b\f\n\r\t", letters[] = "bfnrt";
	struct buf b = BUF_INIT;

	buf_reserve(&b, 6 * len + 1);
	for (size_t i = 0; i < len; i++) {
		const char *found = text[i] ? strchr(short_of, text[i]) : NULL;

		if (found)
			buf_addf(&b, "\\%c", letters[found - short_of]);
		else if ((unsigned char)text[i] < ' ')
			buf_addf(&b, "\\u%04x", (unsigned char)text[i]);
		else if (text[i] == '"' || text[i] == '\\')
			buf_addf(&b, "\\%c", text[i]);
		else
			buf_addc(&b, text[i]);
	}
	return buf_detach(&b, NULL);
}

static char *in_escapes(const char *text, size_t len)
{
	struct buf b = BUF_INIT;

	buf_reserve(&b, 4 * len + 1);
	buf_add_escaped(&b, text, len, len);
	return buf_detach(&b, NULL);
}

static void count_begins(const struct sought *s, int by)
{
	for (unsigned i = 0; i < FORMS; i++) {
		if (s->forms[i])
			list.begins[(unsigned char)s->forms[i][0]] += (unsigned)by;
	}
}

static struct sought *find(const char *text, size_t len)
{
	for (size_t i = 0; i < list.count; i++) {
		if (list.items[i].lens[FORM_PLAIN] == len && memcmp(list.items[i].forms[FORM_PLAIN], text, len) == 0)
			return &list.items[i];
	}
	return NULL;
}

static void set_form(struct sought *s, unsigned form, char *text)
{
	for (unsigned i = 0; i < form; i++) {
		if (s->forms[i] && strcmp(s->forms[i], text) == 0) {
			secret_wipe(text);
			return;
		}
	}
	s->forms[form] = text;
	s->lens[form] = strlen(text);
}

static void seek(const char *text, size_t len)
{
	struct sought *s;

	if (len < SECRET_SOUGHT_MIN)
		return;
	pthread_rwlock_wrlock(&list.lock);
	s = find(text, len);
	if (s) {
		s->uses++;
	} else if (list.count < SECRET_SOUGHT_COUNT) {
		if (!list.items)
			list.items = xcalloc(SECRET_SOUGHT_COUNT, sizeof(*list.items));
		s = &list.items[list.count++];
		*s = (struct sought){.uses = 1};
		set_form(s, FORM_PLAIN, xmemdupz(text, len));
		set_form(s, FORM_JSON, in_json(text, len));
		set_form(s, FORM_ESCAPED, in_escapes(text, len));
		count_begins(s, 1);
	}
	atomic_store_explicit(&list.any, list.count, memory_order_release);
	pthread_rwlock_unlock(&list.lock);
}

static void forget(const char *text, size_t len)
{
	struct sought *s;

	if (len < SECRET_SOUGHT_MIN)
		return;
	pthread_rwlock_wrlock(&list.lock);
	s = find(text, len);
	if (s && --s->uses == 0) {
		count_begins(s, -1);
		for (unsigned i = 0; i < FORMS; i++)
			secret_wipe(s->forms[i]);
		*s = list.items[--list.count];
		if (list.count == 0) {
			free(list.items);
			list.items = NULL;
		}
	}
	atomic_store_explicit(&list.any, list.count, memory_order_release);
	pthread_rwlock_unlock(&list.lock);
}

/* -- secrets -------------------------------------------------------------------------------------------- */

struct secret *secret_new(const char *text, size_t len)
{
	struct secret *s = xcalloc(1, sizeof(*s) + len + 1);

	assert(!memchr(text, '\0', len));
	s->len = len;
	memcpy(s->text, text, len);
	seek(s->text, len);
	return s;
}

void secret_free(struct secret *s)
{
	if (!s)
		return;
	forget(s->text, s->len);
	explicit_bzero(s->text, s->len);
	free(s);
}

const char *secret_reveal(const struct secret *s)
{
	return s ? s->text : NULL;
}

size_t secret_len(const struct secret *s)
{
	return s ? s->len : 0;
}

bool secret_equals(const struct secret *s, const char *text)
{
	return s && strcmp(s->text, text) == 0;
}

/* -- hiding --------------------------------------------------------------------------------------------- */

bool secret_any(void)
{
	return atomic_load_explicit(&list.any, memory_order_acquire) > 0;
}

/* The length of the longest secret that `at` begins with; 0 when there is none. With the lock. */
static size_t match(const char *at, size_t len)
{
	size_t longest = 0;

	if (list.begins[(unsigned char)*at] == 0)
		return 0;
	for (size_t i = 0; i < list.count; i++) {
		const struct sought *s = &list.items[i];

		for (unsigned k = 0; k < FORMS; k++) {
			if (s->forms[k] && s->lens[k] > longest && s->lens[k] <= len &&
				memcmp(s->forms[k], at, s->lens[k]) == 0)
				longest = s->lens[k];
		}
	}
	return longest;
}

char *secret_hide(const char *text)
{
	struct buf out = BUF_INIT;
	size_t len, kept = 0;
	bool found = false;

	if (!text || !secret_any())
		return NULL;
	len = strlen(text);
	pthread_rwlock_rdlock(&list.lock);
	for (size_t i = 0; i < len;) {
		size_t n = match(text + i, len - i);

		if (n == 0) {
			i++;
			continue;
		}
		buf_add(&out, text + kept, i - kept);
		buf_adds(&out, SECRET_HIDDEN);
		kept = i += n;
		found = true;
	}
	pthread_rwlock_unlock(&list.lock);
	if (!found)
		return NULL;
	buf_adds(&out, text + kept);
	return buf_detach(&out, NULL);
}
