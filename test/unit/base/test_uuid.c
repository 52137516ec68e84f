/* UUIDs: what is read, the fields in them, what is put in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/uuid.h"

static struct uuid parse(const char *text)
{
	struct uuid u;

	if (!uuid_parse(text, strlen(text), &u))
		fail_msg("refused: %s", text);
	return u;
}

static void reads_every_form(void **state)
{
	static const char *const forms[] = {
		"c232ab00-9414-11ec-b3c8-9f6bdeced846",
		"C232AB00-9414-11EC-B3C8-9F6BDECED846",
		"{c232ab00-9414-11ec-b3c8-9f6bdeced846}",
		"urn:uuid:c232ab00-9414-11ec-b3c8-9f6bdeced846",
		"URN:UUID:c232ab00-9414-11ec-b3c8-9f6bdeced846",
		"c232ab00941411ecb3c89f6bdeced846",
	};
	char text[UUID_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct uuid u = parse(forms[i]);

		assert_string_equal(uuid_format(&u, text), forms[0]);
	}
}

static void refuses_the_rest(void **state)
{
	static const char *const wrong[] = {
		"",
		"{}",
		"urn:uuid:",
		"c232ab00-9414-11ec-b3c8-9f6bdeced84",
		"c232ab00-9414-11ec-b3c8-9f6bdeced8460",
		"c232ab00-9414-11ec-b3c89f6bdeced8466-",
		"c232ab00 9414-11ec-b3c8-9f6bdeced846",
		"g232ab00-9414-11ec-b3c8-9f6bdeced846",
		"{c232ab00-9414-11ec-b3c8-9f6bdeced846",
		"c232ab00941411ecb3c89f6bdeced84`",
		"(c232ab00-9414-11ec-b3c8-9f6bdeced846)",
	};
	struct uuid u;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (uuid_parse(wrong[i], strlen(wrong[i]), &u))
			fail_msg("accepted: %s", wrong[i]);
	}
}

/* RFC 9562 appendices A.1 and A.6. */
static void writes_what_it_reads(void **state)
{
	static const unsigned char node[6] = {0x9f, 0x6b, 0xde, 0xce, 0xd8, 0x46};
	struct uuid made, want = parse("c232ab00-9414-11ec-b3c8-9f6bdeced846");
	int64_t seconds;

	(void)state;
	uuid_fill_v1(&made, 16455577420000000, 0x33c8, node);
	assert_memory_equal(made.bytes, want.bytes, UUID_BYTES);
	assert_int_equal(uuid_version(&made), 1);
	assert_true(uuid_seconds(&made, &seconds));
	assert_int_equal(seconds, 1645557742);

	want = parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
	made = want;
	memset(made.bytes, 0xff, 8);
	uuid_fill_v7(&made, (UINT64_C(1645557742000) << 12) + 0xcc3);
	assert_memory_equal(made.bytes, want.bytes, UUID_BYTES);
	assert_true(uuid_seconds(&made, &seconds));
	assert_int_equal(seconds, 1645557742);
	assert_string_equal(uuid_variant(&made), "RFC4122");

	/* The first moment that version 1 knows, and one without a time. */
	made = parse("00000000-0000-1000-8000-000000000000");
	assert_true(uuid_seconds(&made, &seconds));
	assert_int_equal(seconds, -12219292800);
	uuid_stamp(&made, 4);
	assert_false(uuid_seconds(&made, &seconds));
}

static void url_safe_base64(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *text;
	} cases[] = {
		{"", 0, ""},
		{"f", 1, "Zg"},
		{"fo", 2, "Zm8"},
		{"foo", 3, "Zm9v"},
		{"foob", 4, "Zm9vYg"},
		{"\xfb\xff\xbf", 3, "-_-_"},
		{"\0\xff\x10", 3, "AP8Q"},
	};
	static const char *const wrong[] = {"Z", "Zm9vY", "Zg==", "Zh", "Zm9", "+/+/", "Zm 9v", "Zm9v\n"};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text = BUF_INIT, back = BUF_INIT;

		base64url_encode(&text, cases[i].bytes, cases[i].len);
		assert_string_equal(buf_str(&text), cases[i].text);
		assert_int_equal(base64url_decode(&back, cases[i].text, strlen(cases[i].text), &e), 0);
		assert_int_equal(buf_len(&back), cases[i].len);
		assert_memory_equal(buf_data(&back), cases[i].bytes, cases[i].len);
		buf_done(&text);
		buf_done(&back);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct buf back = BUF_INIT;

		if (base64url_decode(&back, wrong[i], strlen(wrong[i]), &e) == 0)
			fail_msg("accepted: %s", wrong[i]);
		buf_done(&back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_form),
		cmocka_unit_test(refuses_the_rest),
		cmocka_unit_test(writes_what_it_reads),
		cmocka_unit_test(url_safe_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
