/* Tokens: their text, their signature, their records. */
#include "policies.h"

#include "security/token.h"

static void test_text(void **state)
{
	static const struct {
		size_t len;
		const char *text;
	} cases[] = {{1, "-w=="}, {2, "--8="}, {3, "--__"}, {4, "--__-w=="}};
	const unsigned char bytes[] = {0xfb, 0xef, 0xff, 0xfb};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = BUF_INIT;

		token_write(&out, bytes, cases[i].len);
		assert_string_equal(buf_str(&out), cases[i].text);
		buf_done(&out);
	}
}

static void test_split(void **state)
{
	static const struct {
		const char *text;
		bool is_signed;
		int len; /* -1: refused */
	} cases[] = {
		{"", false, -1},
		{"", true, -1},
		{"abc", false, 3},
		{"a.b.c", false, 5},
		{"a:b", false, -1},
		{"a:b.c", true, -1},
		{"abc", true, -1},
		{"abc.", true, -1},
		{".abc", true, -1},
		{"a.b.c", true, -1},
		{"abc.d", true, 3},
	};
	char *longest = xcalloc(1, TOKEN_TEXT_BYTES_MAX + 2);
	struct err e;
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int rc = token_split(cases[i].text, strlen(cases[i].text), cases[i].is_signed, &len, &e);

		if ((rc < 0) != (cases[i].len < 0) || (rc == 0 && len != (size_t)cases[i].len))
			fail_msg("'%s' %d", cases[i].text, cases[i].is_signed);
		if (rc < 0) {
			assert_int_equal(e.kind, ERR_INVALID);
			assert_string_equal(e.text, "invalid token format");
		}
	}
	memset(longest, 'a', TOKEN_TEXT_BYTES_MAX + 1);
	assert_int_equal(token_split(longest, TOKEN_TEXT_BYTES_MAX, false, &len, &e), 0);
	assert_int_equal(token_split(longest, TOKEN_TEXT_BYTES_MAX + 1, false, &len, &e), -1);
	assert_int_equal(token_split("a\0b", 3, false, &len, &e), -1);
	free(longest);
}

static void test_signature(void **state)
{
	unsigned char mac[TOKEN_MAC_BYTES], other[TOKEN_MAC_BYTES];
	struct buf text = BUF_INIT;
	struct err e;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(mac); i++)
		mac[i] = (unsigned char)i;
	buf_adds(&text, "abcd");
	token_write_signature(&text, mac);
	assert_int_equal(buf_len(&text), 4 + 1 + 44);
	len = buf_len(&text);
	assert_int_equal(token_check_signature(buf_data(&text), len, 4, mac, &e), 0);
	for (size_t i = 0; i < sizeof(mac); i++) {
		memcpy(other, mac, sizeof(mac));
		other[i] ^= 0x80;
		assert_int_equal(token_check_signature(buf_data(&text), len, 4, other, &e), -1);
		assert_string_equal(e.text, "invalid token format");
	}
	for (size_t cut = 4; cut < len; cut++)
		assert_int_equal(token_check_signature(buf_data(&text), cut, 4, mac, &e), -1);
	buf_addc(&text, '=');
	assert_int_equal(token_check_signature(buf_data(&text), len + 1, 4, mac, &e), -1);
	buf_done(&text);
}

static void test_records(void **state)
{
	static const char *const malformed[] = {"", "{}", "5", "[", "{\"actor\":{\"id\":\"x\"}}",
		"{\"actor\":{\"id\":5},\"policies\":[],\"expires_at\":1}",
		"{\"actor\":{\"id\":\"x\"},\"policies\":{},\"expires_at\":1}",
		"{\"actor\":{\"id\":\"x\"},\"policies\":[],\"expires_at\":\"1\"}"};
	struct policy_set *set = policy_set_new();
	struct identity *who = identity_new("user:1", from_yaml("{role: admin, n: 5}"));
	struct policy *kept = make_policy("app:kept", "policy: {actions: a, resources: '*', effect: allow}");
	struct policy *gone = make_policy("app:gone", "policy: {actions: b, resources: '*', effect: allow}");
	struct policy *both[] = {kept, gone};
	struct scope *scope = scope_new_of(both, 2);
	struct buf text = BUF_INIT;
	struct token_record r;
	struct err e;

	(void)state;
	policy_set_put(set, make_policy("app:kept", "policy: {actions: a, resources: '*', effect: deny}"));
	token_record_write(&text, who, scope, 1000, 2000, NULL);
	assert_int_equal(token_record_read(buf_data(&text), buf_len(&text), set, &r, &e), 0);
	assert_string_equal(identity_id(r.actor), "user:1");
	assert_true(value_equal(identity_meta(r.actor), identity_meta(who)));
	assert_int_equal(r.expires_ms, 2000);
	/* What is not there any more is left out; what is there says what it says now. */
	assert_int_equal(scope_count(r.scope), 1);
	assert_int_equal(scope_judge(r.scope, r.actor, "a", "x", NULL), VERDICT_DENY);
	token_record_done(&r);
	policy_set_remove(set, "app:kept");
	assert_int_equal(token_record_read(buf_data(&text), buf_len(&text), set, &r, &e), 0);
	assert_int_equal(scope_count(r.scope), 0);
	token_record_done(&r);
	for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
		if (token_record_read(malformed[i], strlen(malformed[i]), set, &r, &e) == 0)
			fail_msg("accepted: %s", malformed[i]);
		assert_string_equal(e.text, "malformed token record");
	}
	buf_done(&text);
	scope_unref(scope);
	policy_unref(kept);
	policy_unref(gone);
	identity_unref(who);
	policy_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
