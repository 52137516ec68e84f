#include "value/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "value/regex_translate.h"

enum {
	HEAP_KIB_MAX = 32 * 1024, /* for back-tracking */
	WINDOW_FIRST = 16,        /* places where a match may begin, tried before the clock is looked at */
	WINDOW_CHEAP_US = 500,    /* a window that took less is doubled */
	REPLACEMENT_BYTES = 3,    /* U+FFFD */
};

struct regex {
	atomic_uint refs;
	char *source;
	pcre2_code *code;
	struct regex_groups groups;
};

struct regex_text {
	const char *bytes; /* UTF-8: the original or the copy */
	size_t len;
	char *copy;     /* with U+FFFD for every byte that is no UTF-8; NULL: there is none */
	size_t *mended; /* where those are in the copy, ascending */
	size_t nmended;
};

/* -- compiling ---------------------------------------------------------------------------------------- */

static pcre2_compile_context *compile_context(void)
{
	pcre2_compile_context *c = pcre2_compile_context_create(NULL);

	if (c)
		pcre2_set_newline(c, PCRE2_NEWLINE_LF);
	return c;
}

int regex_compile(const char *pattern, size_t len, struct regex **ret_regex, struct err *e)
{
	pcre2_compile_context *context = NULL;
	struct buf translated = BUF_INIT;
	struct regex *r = xcalloc(1, sizeof(*r));
	PCRE2_UCHAR why[256];
	PCRE2_SIZE where;
	int rc = -1, code;

	atomic_init(&r->refs, 1);
	if (regex_translate(pattern, len, &translated, &r->groups, e) < 0)
		goto out;
	context = compile_context();
	/* No option of PCRE2 that looks at the processor or writes machine code: a pattern costs memory in proportion
	 * to its length, and steps of the interpreter can be counted. */
	r->code = pcre2_compile((PCRE2_SPTR)buf_str(&translated), buf_len(&translated),
		PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_UTF_CHECK |
			PCRE2_USE_OFFSET_LIMIT,
		&code, &where, context);
	if (!r->code) {
		/* The offset is one of the translation, which the reader never sees. */
		pcre2_get_error_message(code, why, sizeof(why));
		err_set(e, ERR_INVALID, "invalid regex pattern: %s at offset %zu", (const char *)why,
			where < len ? where : len);
		goto out;
	}
	r->source = xmemdupz(pattern, len);
	*ret_regex = r;
	r = NULL;
	rc = 0;
out:
	pcre2_compile_context_free(context);
	buf_done(&translated);
	regex_unref(r);
	return rc;
}

struct regex *regex_ref(struct regex *r)
{
	if (r)
		atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void regex_unref(struct regex *r)
{
	if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
		return;
	pcre2_code_free(r->code);
	regex_groups_done(&r->groups);
	free(r->source);
	free(r);
}

const char *regex_source(const struct regex *r)
{
	return r->source;
}

unsigned regex_group_count(const struct regex *r)
{
	return r->groups.count;
}

const char *regex_group_name(const struct regex *r, unsigned i)
{
	return i >= 1 && i <= r->groups.count && r->groups.names[i] ? r->groups.names[i] : "";
}

/* -- text --------------------------------------------------------------------------------------------- */

static void mend(struct regex_text *t, const char *text, size_t len)
{
	struct buf copy = BUF_INIT;
	size_t cap = 0;

	for (size_t i = 0; i < len;) {
		size_t n = utf8_sequence(text + i, len - i, NULL);

		if (n > 0) {
			buf_add(&copy, text + i, n);
			i += n;
			continue;
		}
		if (t->nmended == cap) {
			cap = cap ? cap * 2 : 16;
			t->mended = xreallocarray(t->mended, cap, sizeof(*t->mended));
		}
		t->mended[t->nmended++] = buf_len(&copy);
		buf_add(&copy, "\xef\xbf\xbd", REPLACEMENT_BYTES);
		i++;
	}
	t->copy = buf_detach(&copy, &t->len);
	t->bytes = t->copy;
}

static int text_init(struct regex_text *t, const char *text, size_t len, struct err *e)
{
	*t = (struct regex_text){.bytes = len > 0 ? text : "", .len = len};
	if (len > REGEX_TEXT_BYTES_MAX)
		return err_set(
			e, ERR_INVALID, "the text is longer than %d bytes: search it in parts", REGEX_TEXT_BYTES_MAX);
	if (!utf8_is_valid(t->bytes, len))
		mend(t, text, len);
	return 0;
}

static void text_done(struct regex_text *t)
{
	free(t->copy);
	free(t->mended);
}

int regex_text_new(const char *text, size_t len, struct regex_text **ret_text, struct err *e)
{
	struct regex_text *t = xmalloc(sizeof(*t));

	if (text_init(t, text, len, e) < 0) {
		free(t);
		return -1;
	}
	*ret_text = t;
	return 0;
}

void regex_text_free(struct regex_text *t)
{
	if (!t)
		return;
	text_done(t);
	free(t);
}

/* How many replacements end at or before this place of the copy? */
static size_t mended_before(const struct regex_text *t, size_t place)
{
	size_t low = 0, high = t->nmended;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->mended[mid] + REPLACEMENT_BYTES <= place)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static size_t to_original(const struct regex_text *t, size_t place)
{
	return place - mended_before(t, place) * (REPLACEMENT_BYTES - 1);
}

/* A place inside of a character becomes the next one. */
static size_t from_original(const struct regex_text *t, size_t place)
{
	size_t low = 0, high = t->nmended;

	/* How many of the replaced bytes are before it? The i-th stands at mended[i] - 2 i of the original. */
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->mended[mid] - mid * (REPLACEMENT_BYTES - 1) < place)
			low = mid + 1;
		else
			high = mid;
	}
	place += low * (REPLACEMENT_BYTES - 1);
	while (place < t->len && ((unsigned char)t->bytes[place] & 0xc0) == 0x80)
		place++;
	return place;
}

/* -- searching ---------------------------------------------------------------------------------------- */

static int64_t processor_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/*
 * PCRE2 counts steps anew for each place where a match may begin, and does not count inside of `a*`. So it is given
 * growing windows of such places, and the clock decides between them whether to go on.
 */
static int search_windows(const struct regex *r, const struct regex_text *t, size_t from, pcre2_match_data *data,
	pcre2_match_context *context, struct err *e)
{
	size_t window = WINDOW_FIRST, next;
	int64_t began = 0, before, now = 0;
	int rc;

	for (;;) {
		bool last = t->len - from <= window;

		/* The next window begins with a character. */
		next = last ? t->len : from + window + 1;
		while (!last && next < t->len && ((unsigned char)t->bytes[next] & 0xc0) == 0x80)
			next++;
		if (!last && began == 0)
			began = now = processor_us();
		before = now;
		pcre2_set_offset_limit(context, last ? PCRE2_UNSET : next - 1);
		rc = pcre2_match(r->code, (PCRE2_SPTR)t->bytes, t->len, from, PCRE2_NO_UTF_CHECK, data, context);
		if (rc >= 0)
			return 1;
		if (rc != PCRE2_ERROR_NOMATCH)
			break;
		if (last)
			return 0;
		now = processor_us();
		if (now - began > REGEX_SEARCH_MS_MAX * 1000)
			break;
		if (now - before < WINDOW_CHEAP_US && window < t->len)
			window *= 2;
		from = next;
	}
	return err_set(e, ERR_INTERNAL, "the regex search takes too many steps: simplify the pattern");
}

int regex_search_text(const struct regex *r, const struct regex_text *t, size_t from, struct regex_span *spans,
	unsigned nspans, struct err *e)
{
	pcre2_match_data *data;
	pcre2_match_context *context;
	const PCRE2_SIZE *places;
	unsigned groups;
	int rc;

	from = from_original(t, from);
	if (from > t->len)
		return 0;
	data = pcre2_match_data_create_from_pattern(r->code, NULL);
	context = pcre2_match_context_create(NULL);
	if (!data || !context) {
		rc = err_set(e, ERR_INTERNAL, "out of memory for a regex search");
		goto out;
	}
	pcre2_set_match_limit(context, REGEX_STEPS_MAX);
	pcre2_set_heap_limit(context, HEAP_KIB_MAX);
	rc = search_windows(r, t, from, data, context, e);
	if (rc <= 0)
		goto out;
	places = pcre2_get_ovector_pointer(data);
	groups = pcre2_get_ovector_count(data);
	for (unsigned i = 0; i < nspans; i++) {
		bool there = i < groups && places[2 * i] != PCRE2_UNSET;

		spans[i].start = there ? to_original(t, places[2 * i]) : SIZE_MAX;
		spans[i].end = there ? to_original(t, places[2 * i + 1]) : SIZE_MAX;
	}
out:
	pcre2_match_context_free(context);
	pcre2_match_data_free(data);
	return rc;
}

int regex_search(const struct regex *r, const char *text, size_t len, size_t from, struct regex_span *spans,
	unsigned nspans, struct err *e)
{
	struct regex_text t;
	int rc;

	if (text_init(&t, text, len, e) < 0)
		return -1;
	rc = regex_search_text(r, &t, from, spans, nspans, e);
	text_done(&t);
	return rc;
}

bool regex_matches(const struct regex *r, const char *text, size_t len)
{
	return regex_search(r, text, len, 0, NULL, 0, NULL) == 1;
}
