/* Layouts: every token both ways, against what Go's package time (go1.26) gives for the same input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "bind/time_layout.h"

enum { MOMENTS = 7 };

static const struct {
	int64_t seconds;
	int32_t nanosecond;
	int32_t offset;
	const char *abbreviation;
} moments[MOMENTS] = {
	{1136239445, 123456789, -25200, "MST"},
	{1709165109, 100000000, 0, "UTC"},
	{946624499, 0, 20700, ""},
	{1289286337, 7000, -12330, ""},
	{-62135596800, 0, 0, "UTC"},
	{-63549313200, 0, 0, "UTC"},
	{327416976595, 999999999, -45, ""},
};

static const struct {
	const char *layout;
	const char *text[MOMENTS]; /* of each moment */
} formats[] = {
	{"Mon Jan _2 15:04:05 2006",
		{"Mon Jan  2 15:04:05 2006", "Thu Feb 29 00:05:09 2024", "Fri Dec 31 12:59:59 1999",
			"Tue Nov  9 03:40:07 2010", "Mon Jan  1 00:00:00 0001", "Thu Mar 15 13:00:00 -0044",
			"Thu Jun  7 08:09:10 12345"}},
	{"Mon Jan _2 15:04:05 MST 2006",
		{"Mon Jan  2 15:04:05 MST 2006", "Thu Feb 29 00:05:09 UTC 2024", "Fri Dec 31 12:59:59 +0545 1999",
			"Tue Nov  9 03:40:07 -0325 2010", "Mon Jan  1 00:00:00 UTC 0001",
			"Thu Mar 15 13:00:00 UTC -0044", "Thu Jun  7 08:09:10 +0000 12345"}},
	{"02 Jan 06 15:04 MST",
		{"02 Jan 06 15:04 MST", "29 Feb 24 00:05 UTC", "31 Dec 99 12:59 +0545", "09 Nov 10 03:40 -0325",
			"01 Jan 01 00:00 UTC", "15 Mar 44 13:00 UTC", "07 Jun 45 08:09 +0000"}},
	{"02 Jan 06 15:04 -0700",
		{"02 Jan 06 15:04 -0700", "29 Feb 24 00:05 +0000", "31 Dec 99 12:59 +0545", "09 Nov 10 03:40 -0325",
			"01 Jan 01 00:00 +0000", "15 Mar 44 13:00 +0000", "07 Jun 45 08:09 +0000"}},
	{"Monday, 02-Jan-06 15:04:05 MST",
		{"Monday, 02-Jan-06 15:04:05 MST", "Thursday, 29-Feb-24 00:05:09 UTC",
			"Friday, 31-Dec-99 12:59:59 +0545", "Tuesday, 09-Nov-10 03:40:07 -0325",
			"Monday, 01-Jan-01 00:00:00 UTC", "Thursday, 15-Mar-44 13:00:00 UTC",
			"Thursday, 07-Jun-45 08:09:10 +0000"}},
	{"Mon, 02 Jan 2006 15:04:05 MST",
		{"Mon, 02 Jan 2006 15:04:05 MST", "Thu, 29 Feb 2024 00:05:09 UTC", "Fri, 31 Dec 1999 12:59:59 +0545",
			"Tue, 09 Nov 2010 03:40:07 -0325", "Mon, 01 Jan 0001 00:00:00 UTC",
			"Thu, 15 Mar -0044 13:00:00 UTC", "Thu, 07 Jun 12345 08:09:10 +0000"}},
	{"Mon, 02 Jan 2006 15:04:05 -0700",
		{"Mon, 02 Jan 2006 15:04:05 -0700", "Thu, 29 Feb 2024 00:05:09 +0000",
			"Fri, 31 Dec 1999 12:59:59 +0545", "Tue, 09 Nov 2010 03:40:07 -0325",
			"Mon, 01 Jan 0001 00:00:00 +0000", "Thu, 15 Mar -0044 13:00:00 +0000",
			"Thu, 07 Jun 12345 08:09:10 +0000"}},
	{"2006-01-02T15:04:05Z07:00", {"2006-01-02T15:04:05-07:00", "2024-02-29T00:05:09Z", "1999-12-31T12:59:59+05:45",
					      "2010-11-09T03:40:07-03:25", "0001-01-01T00:00:00Z",
					      "-0044-03-15T13:00:00Z", "12345-06-07T08:09:10+00:00"}},
	{"2006-01-02T15:04:05.999999999Z07:00",
		{"2006-01-02T15:04:05.123456789-07:00", "2024-02-29T00:05:09.1Z", "1999-12-31T12:59:59+05:45",
			"2010-11-09T03:40:07.000007-03:25", "0001-01-01T00:00:00Z", "-0044-03-15T13:00:00Z",
			"12345-06-07T08:09:10.999999999+00:00"}},
	{"3:04PM", {"3:04PM", "12:05AM", "12:59PM", "3:40AM", "12:00AM", "1:00PM", "8:09AM"}},
	{"Jan _2 15:04:05", {"Jan  2 15:04:05", "Feb 29 00:05:09", "Dec 31 12:59:59", "Nov  9 03:40:07",
				    "Jan  1 00:00:00", "Mar 15 13:00:00", "Jun  7 08:09:10"}},
	{"Jan _2 15:04:05.000",
		{"Jan  2 15:04:05.123", "Feb 29 00:05:09.100", "Dec 31 12:59:59.000", "Nov  9 03:40:07.000",
			"Jan  1 00:00:00.000", "Mar 15 13:00:00.000", "Jun  7 08:09:10.999"}},
	{"Jan _2 15:04:05.000000",
		{"Jan  2 15:04:05.123456", "Feb 29 00:05:09.100000", "Dec 31 12:59:59.000000", "Nov  9 03:40:07.000007",
			"Jan  1 00:00:00.000000", "Mar 15 13:00:00.000000", "Jun  7 08:09:10.999999"}},
	{"Jan _2 15:04:05.000000000",
		{"Jan  2 15:04:05.123456789", "Feb 29 00:05:09.100000000", "Dec 31 12:59:59.000000000",
			"Nov  9 03:40:07.000007000", "Jan  1 00:00:00.000000000", "Mar 15 13:00:00.000000000",
			"Jun  7 08:09:10.999999999"}},
	{"2006-01-02 15:04:05",
		{"2006-01-02 15:04:05", "2024-02-29 00:05:09", "1999-12-31 12:59:59", "2010-11-09 03:40:07",
			"0001-01-01 00:00:00", "-0044-03-15 13:00:00", "12345-06-07 08:09:10"}},
	{"", {"", "", "", "", "", "", ""}},
	{"no tokens: a,b;c", {"no tokens: a,b;c", "no tokens: a,b;c", "no tokens: a,b;c", "no tokens: a,b;c",
				     "no tokens: a,b;c", "no tokens: a,b;c", "no tokens: a,b;c"}},
	{"January Jan 01 1", {"January Jan 01 1", "February Feb 02 2", "December Dec 12 12", "November Nov 11 11",
				     "January Jan 01 1", "March Mar 03 3", "June Jun 06 6"}},
	{"Monday Mon", {"Monday Mon", "Thursday Thu", "Friday Fri", "Tuesday Tue", "Monday Mon", "Thursday Thu",
			       "Thursday Thu"}},
	{"Janet Monk Januaryx Mondays",
		{"Janet Monk Januaryx Mondays", "Janet Monk Februaryx Thursdays", "Janet Monk Decemberx Fridays",
			"Janet Monk Novemberx Tuesdays", "Janet Monk Januaryx Mondays", "Janet Monk Marchx Thursdays",
			"Janet Monk Junex Thursdays"}},
	{"02 _2 2 002 __2", {"02  2 2 002   2", "29 29 29 060  60", "31 31 31 365 365", "09  9 9 313 313",
				    "01  1 1 001   1", "15 15 15 075  75", "07  7 7 158 158"}},
	{"_2006 __2006", {"_2006   2006", "_2024  60024", "_1999 365099", "_2010 313010", "_0001   1001",
				 "_-0044  75044", "_12345 158045"}},
	{"06 2006", {"06 2006", "24 2024", "99 1999", "10 2010", "01 0001", "44 -0044", "45 12345"}},
	{"15 03 3", {"15 03 3", "00 12 12", "12 12 12", "03 03 3", "00 12 12", "13 01 1", "08 08 8"}},
	{"04 4 05 5", {"04 4 05 5", "05 5 09 9", "59 59 59 59", "40 40 07 7", "00 0 00 0", "00 0 00 0", "09 9 10 10"}},
	{"PM pm P p", {"PM pm P p", "AM am P p", "PM pm P p", "AM am P p", "AM am P p", "PM pm P p", "AM am P p"}},
	{".0 .00 .000000 ,000",
		{".1 .12 .123456 ,123", ".1 .10 .100000 ,100", ".0 .00 .000000 ,000", ".0 .00 .000007 ,000",
			".0 .00 .000000 ,000", ".0 .00 .000000 ,000", ".9 .99 .999999 ,999"}},
	{".9 .999 ,999999999", {".1 .123 ,123456789", ".1 .1 ,1", "  ", "  ,000007", "  ", "  ", ".9 .999 ,999999999"}},
	{".0001 .9998 .09 ,0", {".0001 .9998 .09 ,1", ".0002 .9998 .09 ,1", ".0012 .9998 .09 ,0", ".0011 .9998 .09 ,0",
				       ".0001 .9998 .09 ,0", ".0003 .9998 .09 ,0", ".0006 .9998 .09 ,9"}},
	{"-0700 -07:00 -07 -070000 -07:00:00",
		{"-0700 -07:00 -07 -070000 -07:00:00", "+0000 +00:00 +00 +000000 +00:00:00",
			"+0545 +05:45 +05 +054500 +05:45:00", "-0325 -03:25 -03 -032530 -03:25:30",
			"+0000 +00:00 +00 +000000 +00:00:00", "+0000 +00:00 +00 +000000 +00:00:00",
			"+0000 +00:00 +00 +0000-45 +00:00:-45"}},
	{"Z0700 Z07:00 Z07 Z070000 Z07:00:00",
		{"-0700 -07:00 -07 -070000 -07:00:00", "Z Z Z Z Z", "+0545 +05:45 +05 +054500 +05:45:00",
			"-0325 -03:25 -03 -032530 -03:25:30", "Z Z Z Z Z", "Z Z Z Z Z",
			"+0000 +00:00 +00 +0000-45 +00:00:-45"}},
	{"MST", {"MST", "UTC", "+0545", "-0325", "UTC", "UTC", "+0000"}},
	{"20060102150405.000", {"20060102150405.123", "20240229000509.100", "19991231125959.000", "20101109034007.000",
				       "00010101000000.000", "-00440315130000.000", "123450607080910.999"}},
	{"h:4 m:5 o'clock", {"h:4 m:5 o'clock", "h:5 m:9 o'clock", "h:59 m:59 o'clock", "h:40 m:7 o'clock",
				    "h:0 m:0 o'clock", "h:0 m:0 o'clock", "h:9 m:10 o'clock"}},
	{"\xe5"
	 "\xb9"
	 "\xb4"
	 "2006\xe6"
	 "\x9c"
	 "\x88",
		{"\xe5"
		 "\xb9"
		 "\xb4"
		 "2006\xe6"
		 "\x9c"
		 "\x88",
			"\xe5"
			"\xb9"
			"\xb4"
			"2024\xe6"
			"\x9c"
			"\x88",
			"\xe5"
			"\xb9"
			"\xb4"
			"1999\xe6"
			"\x9c"
			"\x88",
			"\xe5"
			"\xb9"
			"\xb4"
			"2010\xe6"
			"\x9c"
			"\x88",
			"\xe5"
			"\xb9"
			"\xb4"
			"0001\xe6"
			"\x9c"
			"\x88",
			"\xe5"
			"\xb9"
			"\xb4"
			"-0044\xe6"
			"\x9c"
			"\x88",
			"\xe5"
			"\xb9"
			"\xb4"
			"12345\xe6"
			"\x9c"
			"\x88"}},
	{"2006-01-02T15:04:05.999999999999Z07:00",
		{"2006-01-02T15:04:05.123456789-07:00", "2024-02-29T00:05:09.1Z", "1999-12-31T12:59:59+05:45",
			"2010-11-09T03:40:07.000007-03:25", "0001-01-01T00:00:00Z", "-0044-03-15T13:00:00Z",
			"12345-06-07T08:09:10.999999999+00:00"}},
	{"-07-- Z Z0 -0", {"-07-- Z Z0 -0", "+00-- Z Z0 -0", "+05-- Z Z0 -0", "-03-- Z Z0 -0", "+00-- Z Z0 -0",
				  "+00-- Z Z0 -0", "+00-- Z Z0 -0"}},
};

static struct layout_time moment(size_t i)
{
	struct layout_time t = {
		.nanosecond = moments[i].nanosecond,
		.offset = moments[i].offset,
		.abbreviation = moments[i].abbreviation,
	};

	calendar_from_seconds(moments[i].seconds + moments[i].offset, &t.calendar);
	return t;
}

static void writes(void **state)
{
	char out[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		for (size_t k = 0; k < MOMENTS; k++) {
			struct layout_time t = moment(k);
			size_t n =
				layout_format(&t, formats[i].layout, strlen(formats[i].layout), out, sizeof(out) - 1);

			assert_true(n < sizeof(out));
			out[n] = '\0';
			if (strcmp(out, formats[i].text[k]) != 0)
				fail_msg("\"%s\" of moment %zu: \"%s\", not \"%s\"", formats[i].layout, k, out,
					formats[i].text[k]);
		}
	}
}

/* What does not fit is counted, and nothing is written behind the end. */
static void keeps_to_its_room(void **state)
{
	static const char layout[] = "Monday, 02-Jan-06 15:04:05.000 MST";
	struct layout_time t = moment(0);
	char whole[128], part[128];
	size_t n = layout_format(&t, layout, strlen(layout), whole, sizeof(whole));

	(void)state;
	for (size_t cap = 0; cap <= n; cap++) {
		memset(part, '#', sizeof(part));
		assert_int_equal(layout_format(&t, layout, strlen(layout), part, cap), n);
		assert_memory_equal(part, whole, cap);
		assert_int_equal(part[cap], '#');
	}
}

static const struct {
	const char *layout;
	const char *value;
	const char *meaning; /* date, clock, then what was said of the zone */
} readable[] = {
	{"Mon Jan _2 15:04:05 2006", "Thu Feb  4 21:00:57 2010", "2010-02-04 21:00:57.000000000"},
	{"Mon Jan 02 15:04:05 -0700 2006", "Thu Feb 04 21:00:57 -0800 2010", "2010-02-04 21:00:57.000000000 -28800"},
	{"Monday, 02-Jan-06 15:04:05 MST", "Thursday, 04-Feb-10 21:00:57 PST", "2010-02-04 21:00:57.000000000 PST"},
	{"Mon, 02 Jan 2006 15:04:05 MST", "Thu, 04 Feb 2010 21:00:57 UTC", "2010-02-04 21:00:57.000000000 UTC"},
	{"Mon, 02 Jan 2006 15:04:05 -0700", "Thu, 04 Feb 2010 21:00:57 -0800", "2010-02-04 21:00:57.000000000 -28800"},
	{"2006-01-02T15:04:05Z07:00", "2010-02-04T21:00:57-08:00", "2010-02-04 21:00:57.000000000 -28800"},
	{"2006-01-02T15:04:05Z07:00", "2010-02-04T21:00:57Z", "2010-02-04 21:00:57.000000000 UTC"},
	{"2006-01-02T15:04:05Z07:00", "2010-02-04T21:00:57.0123456789Z", "2010-02-04 21:00:57.012345678 UTC"},
	{"2006-01-02T15:04:05Z07:00", "2010-02-04T21:00:57,5+24:60", "2010-02-04 21:00:57.500000000 +90000"},
	{"2006-01-02T15:04:05.999999999Z07:00", "2010-02-04T21:00:57Z", "2010-02-04 21:00:57.000000000 UTC"},
	{"2006-01-02T15:04:05.999999999Z07:00", "2010-02-04T21:00:57.123456789-00:30",
		"2010-02-04 21:00:57.123456789 -1800"},
	{"2006-01-02 15:04:05 MST", "2010-02-04 21:00:57 GMT-8", "2010-02-04 21:00:57.000000000 GMT-8"},
	{"2006-01-02 15:04:05 MST", "2010-02-04 21:00:57 GMT", "2010-02-04 21:00:57.000000000 GMT"},
	{"15:04 MST", "21:00 +05", "0000-01-01 21:00:00.000000000 +05"},
	{"15:04 MST", "21:00 -11", "0000-01-01 21:00:00.000000000 -11"},
	{"15:04 MST", "21:00 WITA", "0000-01-01 21:00:00.000000000 WITA"},
	{"15:04 MST", "21:00 ChST", "0000-01-01 21:00:00.000000000 ChST"},
	{"15:04 MST", "21:00 CEST", "0000-01-01 21:00:00.000000000 CEST"},
	{"15:04 MST", "21:00 UTC", "0000-01-01 21:00:00.000000000 UTC"},
	{"15:04 MST", "21:00 AMSTT", "0000-01-01 21:00:00.000000000 AMSTT"},
	{"3:04PM", "3:04PM", "0000-01-01 15:04:00.000000000"},
	{"3:04PM", "12:00AM", "0000-01-01 00:00:00.000000000"},
	{"3:04PM", "12:30PM", "0000-01-01 12:30:00.000000000"},
	{"3:04PM", "0:01PM", "0000-01-01 12:01:00.000000000"},
	{"3:04pm", "11:59pm", "0000-01-01 23:59:00.000000000"},
	{"Jan _2 15:04:05.000", "Feb  4 21:00:57.012", "0000-02-04 21:00:57.012000000"},
	{"Jan _2 15:04:05.999", "Feb 14 21:00:57", "0000-02-14 21:00:57.000000000"},
	{"Jan _2 15:04:05.999", "Feb 14 21:00:57.123456", "0000-02-14 21:00:57.123456000"},
	{"2006-002", "2024-060", "2024-02-29 00:00:00.000000000"},
	{"2006-002", "2023-060", "2023-03-01 00:00:00.000000000"},
	{"2006-002", "2024-366", "2024-12-31 00:00:00.000000000"},
	{"2006-002", "2023-365", "2023-12-31 00:00:00.000000000"},
	{"2006-__2", "2023-  7", "2023-01-07 00:00:00.000000000"},
	{"2006 __2", "2023 107", "2023-04-17 00:00:00.000000000"},
	{"2006-01-02 002", "2024-12-31 366", "2024-12-31 00:00:00.000000000"},
	{"2006-01-02 002", "2024-02-29 060", "2024-02-29 00:00:00.000000000"},
	{"06", "69", "1969-01-01 00:00:00.000000000"},
	{"06", "68", "2068-01-01 00:00:00.000000000"},
	{"06", "00", "2000-01-01 00:00:00.000000000"},
	{"06", "99", "1999-01-01 00:00:00.000000000"},
	{"1/2/2006", "1/2/2006", "2006-01-02 00:00:00.000000000"},
	{"1/2/2006", "12/31/0000", "0000-12-31 00:00:00.000000000"},
	{"2006-1-2", "2010-02-04", "2010-02-04 00:00:00.000000000"},
	{"january 2 Jan", "january 5 feb", "0000-02-05 00:00:00.000000000"},
	{"January", "JUNE", "0000-06-01 00:00:00.000000000"},
	{"Mon", "sAT", "0000-01-01 00:00:00.000000000"},
	{"Monday", "wednesday", "0000-01-01 00:00:00.000000000"},
	{"2006-01-02", "2000-02-29", "2000-02-29 00:00:00.000000000"},
	{"", "", "0000-01-01 00:00:00.000000000"},
	{"  2006", "    2010", "2010-01-01 00:00:00.000000000"},
	{"2006 x", "2010 x", "2010-01-01 00:00:00.000000000"},
	{"2006  ", "2010", "2010-01-01 00:00:00.000000000"},
	{"15:4:5", "7:8:9", "0000-01-01 07:08:09.000000000"},
	{"15:04:05 .999", "10:11:12 .5", "0000-01-01 10:11:12.500000000"},
	{"-07", "+05", "0000-01-01 00:00:00.000000000 +18000"},
	{"-070000", "-123456", "0000-01-01 00:00:00.000000000 -45296"},
	{"-07:00:00", "+01:02:03", "0000-01-01 00:00:00.000000000 +3723"},
	{"Z07", "Z", "0000-01-01 00:00:00.000000000 UTC"},
	{"Z070000", "Z", "0000-01-01 00:00:00.000000000 UTC"},
	{"Z07:00:00", "-00:00:01", "0000-01-01 00:00:00.000000000 -1"},
	{"Z0700", "+0000", "0000-01-01 00:00:00.000000000 +0"},
	{"MST -0700", "PST -0800", "0000-01-01 00:00:00.000000000 -28800 PST"},
	{"05.00", "07.25", "0000-01-01 00:00:07.250000000"},
	{"20060102150405", "20100204210057", "2010-02-04 21:00:57.000000000"},
	{"20060102150405.000", "20100204210057.321", "2010-02-04 21:00:57.321000000"},
};

static const char *meaning(const struct layout_parsed *p, char out[static 128])
{
	int n = snprintf(out, 128, "%04d-%02d-%02d %02d:%02d:%02d.%09d", (int)p->year, p->month, p->day, p->hour,
		p->minute, p->second, p->nanosecond);

	if (p->is_utc)
		n += snprintf(out + n, 128 - (size_t)n, " UTC");
	if (p->has_offset)
		n += snprintf(out + n, 128 - (size_t)n, " %+d", p->offset);
	if (p->abbreviation[0])
		snprintf(out + n, 128 - (size_t)n, " %s", p->abbreviation);
	return out;
}

static void reads(void **state)
{
	char out[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(readable); i++) {
		const char *layout = readable[i].layout, *value = readable[i].value;
		struct layout_parsed p;
		struct err e;

		if (layout_parse(layout, strlen(layout), value, strlen(value), &p, &e) < 0)
			fail_msg("%s", e.text);
		if (strcmp(meaning(&p, out), readable[i].meaning) != 0)
			fail_msg("\"%s\" as \"%s\": %s, not %s", value, layout, out, readable[i].meaning);
	}
}

static const struct {
	const char *layout;
	const char *value;
	const char *error;
} refused[] = {
	{"2006-01-02", "2010-13-01", "parsing time \"2010-13-01\": month out of range"},
	{"2006-01-02", "2010-00-01", "parsing time \"2010-00-01\": month out of range"},
	{"2006-01-02", "2010-02-29", "parsing time \"2010-02-29\": day out of range"},
	{"2006-01-02", "2010-04-31", "parsing time \"2010-04-31\": day out of range"},
	{"2006-01-02", "2010-01-00", "parsing time \"2010-01-00\": day out of range"},
	{"2006-01-02", "2010-1-01", "parsing time \"2010-1-01\" as \"2006-01-02\": cannot parse \"1-01\" as \"01\""},
	{"2006-01-02", "2010-01-01 ", "parsing time \"2010-01-01 \": extra text: \" \""},
	{"2006-01-02", "2010-01-01T", "parsing time \"2010-01-01T\": extra text: \"T\""},
	{"2006-01-02", "10-01-01",
		"parsing time \"10-01-01\" as \"2006-01-02\": cannot parse \"10-01-01\" as \"2006\""},
	{"2006-01-02", "20x0-01-01",
		"parsing time \"20x0-01-01\" as \"2006-01-02\": cannot parse \"20x0-01-01\" as \"2006\""},
	{"2006-01-02", "", "parsing time \"\" as \"2006-01-02\": cannot parse \"\" as \"2006\""},
	{"2006-01-02", "2010/01/02", "parsing time \"2010/01/02\" as \"2006-01-02\": cannot parse \"/01/02\" as \"-\""},
	{"2006-01-02", "-010-01-02",
		"parsing time \"-010-01-02\" as \"2006-01-02\": cannot parse \"-010-01-02\" as \"2006\""},
	{"15:04:05", "24:00:00", "parsing time \"24:00:00\": hour out of range"},
	{"15:04:05", "23:60:00", "parsing time \"23:60:00\": minute out of range"},
	{"15:04:05", "23:59:60", "parsing time \"23:59:60\": second out of range"},
	{"15:04:05", "x", "parsing time \"x\" as \"15:04:05\": cannot parse \"x\" as \"15\""},
	{"15:04:05", "12:34", "parsing time \"12:34\" as \"15:04:05\": cannot parse \"\" as \":\""},
	{"03:04PM", "13:00PM", "parsing time \"13:00PM\": hour out of range"},
	{"03:04PM", "12:00", "parsing time \"12:00\" as \"03:04PM\": cannot parse \"\" as \"PM\""},
	{"03:04PM", "12:00pm", "parsing time \"12:00pm\" as \"03:04PM\": cannot parse \"pm\" as \"PM\""},
	{"3:04pm", "12:00PM", "parsing time \"12:00PM\" as \"3:04pm\": cannot parse \"PM\" as \"pm\""},
	{"3:04PM", "12:00XM", "parsing time \"12:00XM\" as \"3:04PM\": cannot parse \"XM\" as \"PM\""},
	{"05.000", "07.12", "parsing time \"07.12\" as \"05.000\": cannot parse \".12\" as \".000\""},
	{"05.000", "07", "parsing time \"07\" as \"05.000\": cannot parse \"\" as \".000\""},
	{"05.000", "07x123", "parsing time \"07x123\" as \"05.000\": cannot parse \"x123\" as \".000\""},
	{"05 .000", "07 .1x3", "parsing time \"07 .1x3\" as \"05 .000\": cannot parse \".1x3\" as \".000\""},
	{"05", "07.", "parsing time \"07.\": extra text: \".\""},
	{"05", "07.x", "parsing time \"07.x\": extra text: \".x\""},
	{"Z07:00", "+0700", "parsing time \"+0700\" as \"Z07:00\": cannot parse \"+0700\" as \"Z07:00\""},
	{"Z07:00", "z", "parsing time \"z\" as \"Z07:00\": cannot parse \"z\" as \"Z07:00\""},
	{"-0700", "Z", "parsing time \"Z\" as \"-0700\": cannot parse \"Z\" as \"-0700\""},
	{"-0700", "*0700", "parsing time \"*0700\" as \"-0700\": cannot parse \"*0700\" as \"-0700\""},
	{"-0700", "+2500", "parsing time \"+2500\": time zone offset hour out of range"},
	{"-07:00", "+24:61", "parsing time \"+24:61\": time zone offset minute out of range"},
	{"-070000", "+245961", "parsing time \"+245961\": time zone offset second out of range"},
	{"-07:00:00", "+01:02", "parsing time \"+01:02\" as \"-07:00:00\": cannot parse \"+01:02\" as \"-07:00:00\""},
	{"-07", "7", "parsing time \"7\" as \"-07\": cannot parse \"7\" as \"-07\""},
	{"-07:00", "+01x00", "parsing time \"+01x00\" as \"-07:00\": cannot parse \"+01x00\" as \"-07:00\""},
	{"MST", "a", "parsing time \"a\" as \"MST\": cannot parse \"a\" as \"MST\""},
	{"MST", "PS", "parsing time \"PS\" as \"MST\": cannot parse \"PS\" as \"MST\""},
	{"MST", "pst", "parsing time \"pst\" as \"MST\": cannot parse \"pst\" as \"MST\""},
	{"MST", "ABCD", "parsing time \"ABCD\" as \"MST\": cannot parse \"ABCD\" as \"MST\""},
	{"MST", "ABCDE", "parsing time \"ABCDE\" as \"MST\": cannot parse \"ABCDE\" as \"MST\""},
	{"MST", "ABCDEF", "parsing time \"ABCDEF\" as \"MST\": cannot parse \"ABCDEF\" as \"MST\""},
	{"MST", "+24", "parsing time \"+24\" as \"MST\": cannot parse \"+24\" as \"MST\""},
	{"MST", "+x", "parsing time \"+x\" as \"MST\": cannot parse \"+x\" as \"MST\""},
	{"Jan", "Foo", "parsing time \"Foo\" as \"Jan\": cannot parse \"Foo\" as \"Jan\""},
	{"January", "Jan", "parsing time \"Jan\" as \"January\": cannot parse \"Jan\" as \"January\""},
	{"Mon", "Xyz", "parsing time \"Xyz\" as \"Mon\": cannot parse \"Xyz\" as \"Mon\""},
	{"Monday", "Mon", "parsing time \"Mon\" as \"Monday\": cannot parse \"Mon\" as \"Monday\""},
	{"_2", "x", "parsing time \"x\" as \"_2\": cannot parse \"x\" as \"_2\""},
	{"__2", "x", "parsing time \"x\" as \"__2\": cannot parse \"x\" as \"__2\""},
	{"002", "07", "parsing time \"07\" as \"002\": cannot parse \"07\" as \"002\""},
	{"002", "000", "parsing time \"000\": day-of-year out of range"},
	{"2006 002", "2023 366", "parsing time \"2023 366\": day-of-year out of range"},
	{"2006 002", "2024 367", "parsing time \"2024 367\": day-of-year out of range"},
	{"2006-01 002", "2023-02 001", "parsing time \"2023-02 001\": day-of-year does not match month"},
	{"2006-01-02 002", "2023-01-02 001", "parsing time \"2023-01-02 001\": day-of-year does not match day"},
	{"a", "b", "parsing time \"b\" as \"a\": cannot parse \"b\" as \"a\""},
	{"a", "ab", "parsing time \"ab\": extra text: \"b\""},
	{"a b", "a", "parsing time \"a\" as \"a b\": cannot parse \"\" as \"a b\""},
	{"a b", "axb", "parsing time \"axb\" as \"a b\": cannot parse \"xb\" as \"a b\""},
	{"", "x", "parsing time \"x\": extra text: \"x\""},
	{"2006x", "2010", "parsing time \"2010\" as \"2006x\": cannot parse \"\" as \"x\""},
	{"06", "6", "parsing time \"6\" as \"06\": cannot parse \"6\" as \"06\""},
	{"06", "x1", "parsing time \"x1\" as \"06\": cannot parse \"x1\" as \"06\""},
	{"say \"hi\"", "no\"\\\x01",
		"parsing time \"no\\x22\\x5c\\x01\" as \"say \\x22hi\\x22\": cannot parse \"no\\x22\\x5c\\x01\" as "
		"\"say \\x22hi\\x22\""},
};

/* Quotes and backslashes are escaped as \xHH here. */
static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		const char *layout = refused[i].layout, *value = refused[i].value;
		struct layout_parsed p = {.year = 77};
		struct err e = {0};

		if (layout_parse(layout, strlen(layout), value, strlen(value), &p, &e) == 0)
			fail_msg("\"%s\" as \"%s\" was accepted", value, layout);
		assert_string_equal(e.text, refused[i].error);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_int_equal(p.year, 77);
	}
}

/* What is written with a layout that tells all is read back as the same. */
static void reads_what_it_writes(void **state)
{
	static const char layout[] = "Monday January _2 2006 15:04:05.000000000 -070000";

	(void)state;
	srand(1);
	for (int i = 0; i < 20000; i++) {
		int64_t seconds = ((int64_t)rand() * 100 + rand() % 100) % INT64_C(253402300800);
		int32_t offset = rand() % 86400 - 43200;
		struct layout_time t = {.nanosecond = rand() % NS_PER_SECOND, .offset = offset, .abbreviation = ""};
		struct layout_parsed p;
		struct err e;
		char out[128];
		size_t n;

		/* The sign is that of the minutes. */
		if (offset < 0 && offset > -60)
			t.offset = offset = 0;
		calendar_from_seconds(seconds, &t.calendar);
		n = layout_format(&t, layout, strlen(layout), out, sizeof(out));
		if (layout_parse(layout, strlen(layout), out, n, &p, &e) < 0)
			fail_msg("%s", e.text);
		assert_int_equal(p.year, t.calendar.year);
		assert_int_equal(p.month, t.calendar.month);
		assert_int_equal(p.day, t.calendar.day);
		assert_int_equal(p.hour, t.calendar.hour);
		assert_int_equal(p.minute, t.calendar.minute);
		assert_int_equal(p.second, t.calendar.second);
		assert_int_equal(p.nanosecond, t.nanosecond);
		assert_int_equal(p.offset, offset);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes),
		cmocka_unit_test(keeps_to_its_room),
		cmocka_unit_test(reads),
		cmocka_unit_test(refuses),
		cmocka_unit_test(reads_what_it_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
