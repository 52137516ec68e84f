#include "security/token.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "value/json.h"

/* -- text ------------------------------------------------------------------------------------------------------ */

void token_write(struct buf *out, const unsigned char *random, size_t len)
{
	base64url_encode(out, random, len);
	for (size_t i = len; i % 3 != 0; i++)
		buf_addc(out, '=');
}

void token_write_signature(struct buf *out, const unsigned char mac[static TOKEN_MAC_BYTES])
{
	buf_addc(out, '.');
	token_write(out, mac, TOKEN_MAC_BYTES);
}

static int malformed(struct err *e)
{
	return err_set(e, ERR_INVALID, "invalid token format");
}

int token_split(const char *text, size_t len, bool is_signed, size_t *ret_len, struct err *e)
{
	const char *dot = memchr(text, '.', len);
	size_t first = dot ? (size_t)(dot - text) : len;

	/* A colon would reach keys of other namespaces in the same store. */
	if (len == 0 || len > TOKEN_TEXT_BYTES_MAX || memchr(text, ':', len) || memchr(text, '\0', len))
		return malformed(e);
	if (!is_signed) {
		*ret_len = len;
		return 0;
	}
	if (!dot || first == 0 || first + 1 == len || memchr(dot + 1, '.', len - first - 1))
		return malformed(e);
	*ret_len = first;
	return 0;
}

int token_check_signature(
	const char *text, size_t len, size_t at, const unsigned char mac[static TOKEN_MAC_BYTES], struct err *e)
{
	struct buf wanted = BUF_INIT;
	unsigned char differs = 0;
	const char *a, *b = text + at;

	token_write_signature(&wanted, mac);
	a = buf_data(&wanted);
	/* The length is no secret. Every byte is looked at, wherever the first difference is. */
	if (buf_len(&wanted) != len - at)
		differs = 1;
	for (size_t i = 0; i < buf_len(&wanted) && i < len - at; i++)
		differs |= (unsigned char)(a[i] ^ b[i]);
	buf_done(&wanted);
	return differs ? malformed(e) : 0;
}

/* -- records --------------------------------------------------------------------------------------------------- */

void token_record_write(struct buf *out, const struct identity *actor, const struct scope *scope, int64_t created_ms,
	int64_t expires_ms, const struct value *meta)
{
	struct value *v = value_map(), *who = value_map(), *ids = value_list();

	value_map_set(who, "id", value_cstring(identity_id(actor)));
	/* Trees are immutable, so references are as good as copies. */
	if (identity_meta(actor))
		value_map_set(who, "meta", value_ref((struct value *)(uintptr_t)identity_meta(actor)));
	for (size_t i = 0; i < scope_count(scope); i++)
		value_list_append(ids, value_cstring(policy_id(scope_policy(scope, i))));
	value_map_set(v, "actor", who);
	value_map_set(v, "policies", ids);
	value_map_set(v, "created_at", value_int(created_ms));
	value_map_set(v, "expires_at", value_int(expires_ms));
	if (meta)
		value_map_set(v, "meta", value_ref((struct value *)(uintptr_t)meta));
	json_write(v, out);
	value_unref(v);
}

static struct identity *read_actor(const struct value *who)
{
	const struct value *id = value_get(who, "id"), *meta = value_get(who, "meta");

	if (value_type(id) != VALUE_STRING)
		return NULL;
	return identity_new(value_get_string(id, NULL),
		value_type(meta) == VALUE_MAP ? value_ref((struct value *)(uintptr_t)meta) : NULL);
}

int token_record_read(
	const char *text, size_t len, struct policy_set *policies, struct token_record *ret, struct err *e)
{
	struct token_record r = {0};
	const struct value *expires, *ids;
	struct value *v;

	if (json_parse(text, len, &v, NULL) < 0)
		return err_set(e, ERR_INTERNAL, "malformed token record");
	expires = value_get(v, "expires_at");
	ids = value_get(v, "policies");
	if (value_type(expires) == VALUE_INT && value_type(ids) == VALUE_LIST)
		r.actor = read_actor(value_get(v, "actor"));
	if (!r.actor) {
		value_unref(v);
		return err_set(e, ERR_INTERNAL, "malformed token record");
	}
	r.expires_ms = value_get_int(expires);
	r.scope = policy_set_union(policies, NULL, ids, NULL, NULL);
	/* No policy is left: a scope all the same, which allows nothing. */
	if (!r.scope)
		r.scope = scope_new();
	value_unref(v);
	*ret = r;
	return 0;
}

void token_record_done(struct token_record *r)
{
	identity_unref(r->actor);
	scope_unref(r->scope);
	*r = (struct token_record){0};
}
