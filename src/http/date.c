#include "http/date.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

char *http_date_format(int64_t seconds, char out[static HTTP_DATE_BYTES])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900) {
		t = 0;
		gmtime_r(&t, &tm);
	}
	snprintf(out, HTTP_DATE_BYTES, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[tm.tm_wday % 7],
		(unsigned)tm.tm_mday % 100, months[tm.tm_mon % 12], (unsigned)(tm.tm_year + 1900) % 10000,
		(unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
	return out;
}

static int month_of(const char *name)
{
	for (int i = 0; i < 12; i++) {
		if (memcmp(months[i], name, 3) == 0)
			return i;
	}
	return -1;
}

bool http_date_parse(const char *text, int64_t *ret_seconds)
{
	struct tm tm = {0};
	char month[4] = "", zone[4] = "";
	int end = 0, year = 0;

	/* The day of the week says nothing that the rest does not; lengths are fixed, so nothing can overflow. */
	if (strlen(text) > 64)
		return false;
	if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d %3[GMT]%n", &tm.tm_mday, month, &year,
		    &tm.tm_hour, &tm.tm_min, &tm.tm_sec, zone, &end) != 7) {
		end = 0;
		if (sscanf(text, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d %3[GMT]%n", &tm.tm_mday, month, &year,
			    &tm.tm_hour, &tm.tm_min, &tm.tm_sec, zone, &end) == 7) {
			year += year < 69 ? 2000 : 1900;
		} else {
			end = 0;
			strcpy(zone, "GMT");
			if (sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &tm.tm_mday,
				    &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &year, &end) != 6)
				return false;
		}
	}
	tm.tm_mon = strlen(month) == 3 ? month_of(month) : -1;
	if (end == 0 || text[end] || strcmp(zone, "GMT") != 0 || tm.tm_mon < 0 || year < 0 || tm.tm_mday < 1 ||
		tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 ||
		tm.tm_sec < 0 || tm.tm_sec > 60)
		return false;
	tm.tm_year = year - 1900;
	*ret_seconds = timegm(&tm);
	return true;
}
