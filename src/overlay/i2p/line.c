/*
 * line.c - see line.h
 */
#include "overlay/i2p/line.h"

#include <string.h>

#include "base/alloc.h"

enum { SHOWN_MAX = 300, SHOWN_WORD_MAX = 80 };

/* One word at `p`: KEY, KEY=value or KEY="quoted value". Returns where it ends; `value` (NULL: there is none) is copied into
 * `ret_value` when that is not NULL. */
static const char *read_word(const char *p, size_t *ret_key_len, struct buf *ret_value, bool *ret_has_value)
{
	size_t key_len = strcspn(p, "= ");
	bool quoted;

	*ret_key_len = key_len;
	*ret_has_value = p[key_len] == '=';
	p += key_len;
	if (*p != '=')
		return p;
	p++;
	quoted = *p == '"';
	if (quoted)
		p++;
	for (; *p && *p != (quoted ? '"' : ' '); p++) {
		if (quoted && *p == '\\' && p[1])
			p++;
		if (ret_value)
			buf_addc(ret_value, *p);
	}
	return quoted && *p == '"' ? p + 1 : p;
}

bool sam_word(const char *line, const char *key, struct buf *ret_value)
{
	const char *p = line;
	size_t key_len;
	bool has_value;

	while (*p) {
		const char *word = p;

		buf_clear(ret_value);
		p = read_word(p, &key_len, ret_value, &has_value);
		if (has_value && key_len == strlen(key) && memcmp(word, key, key_len) == 0)
			return true;
		/* A closing quote with something right behind it: go on from there, but always go on. */
		while (*p == ' ')
			p++;
	}
	buf_clear(ret_value);
	return false;
}

/* Escaped, but for the quotes, which are part of the line. What is in quotes has words, too. */
static void show_words(const char *text, size_t len, struct buf *out)
{
	const char *end = text + (len < SHOWN_MAX ? len : SHOWN_MAX);

	while (text < end) {
		size_t run = strcspn(text, " ");

		if (run > SHOWN_WORD_MAX) {
			buf_adds(out, "...");
			text += run;
			continue;
		}
		for (run += 1; run > 0 && text < end; run--, text++) {
			unsigned char c = (unsigned char)*text;

			if (c < ' ' || c >= 0x7f)
				buf_addf(out, "\\x%02x", c);
			else
				buf_addc(out, (char)c);
		}
	}
}

/* A line as people may see it: a bridge can repeat a private key in any word, so long words are not shown. */
static void show_line(const char *line, struct buf *out)
{
	const char *p = line;

	while (*p && buf_len(out) < SHOWN_MAX) {
		const char *word = p;
		size_t key_len;
		bool has_value, secret;

		p = read_word(p, &key_len, NULL, &has_value);
		if (buf_len(out) > 0)
			buf_addc(out, ' ');
		secret = has_value && ((key_len == 4 && memcmp(word, "PRIV", 4) == 0) ||
					      (key_len == 11 && memcmp(word, "DESTINATION", 11) == 0));
		if (secret || key_len > SHOWN_WORD_MAX) {
			buf_add_escaped(out, word, key_len, secret ? key_len : 8);
			buf_adds(out, secret ? "=..." : "");
		} else if (has_value && (size_t)(p - word) - key_len > SHOWN_WORD_MAX && word[key_len + 1] != '"') {
			buf_add_escaped(out, word, key_len, key_len);
			buf_adds(out, "=...");
		} else {
			show_words(word, (size_t)(p - word), out);
		}
		while (*p == ' ')
			p++;
	}
	if (*p)
		buf_adds(out, " ...");
}

/* https://geti2p.net/en/docs/api/samv3, "RESULT" values, and ALREADY_ACCEPTING of bridges before 3.2. */
static const struct {
	const char *result;
	const char *code;
} refusals[] = {
	{"ALREADY_ACCEPTING", "i2p_already_accepting"},
	{"CANT_REACH_PEER", "i2p_cant_reach_peer"},
	{"DUPLICATED_DEST", "i2p_duplicated_dest"},
	{"DUPLICATED_ID", "i2p_duplicated_id"},
	{"I2P_ERROR", "i2p_error"},
	{"INVALID_ID", "i2p_invalid_id"},
	{"INVALID_KEY", "i2p_invalid_key"},
	{"KEY_NOT_FOUND", "i2p_key_not_found"},
	{"LEASESET_NOT_FOUND", "i2p_leaseset_not_found"},
	{"NOVERSION", "i2p_no_version"},
	{"PEER_NOT_FOUND", "i2p_peer_not_found"},
	{"TIMEOUT", "i2p_peer_timeout"},
};

int sam_refusal(const char *phase, const char *line, struct err *e)
{
	struct buf value = BUF_INIT, shown = BUF_INIT;
	const char *code = "i2p_bad_reply";

	if (sam_word(line, "RESULT", &value) && strcmp(buf_str(&value), "OK") != 0) {
		code = "i2p_unknown_result";
		for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
			if (strcmp(buf_str(&value), refusals[i].result) == 0)
				code = refusals[i].code;
		}
	}
	show_line(line, &shown);
	err_set(e, ERR_UNAVAILABLE, "%s rejected: %s", phase, buf_str(&shown));
	err_retryable(e);
	err_code(e, code);
	buf_done(&value);
	buf_done(&shown);
	return -1;
}
