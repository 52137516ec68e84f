#include "bind/time_calendar.h"

enum {
	DAYS_PER_400_YEARS = 146097,
	DAYS_PER_100_YEARS = 36524,
	DAYS_PER_4_YEARS = 1461,
	DAYS_FROM_MARCH_0_TO_1970 = 719468
};

#define YEAR_MAX INT64_C(100000000000)

static const short days_before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

bool calendar_is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int calendar_days_before(int month)
{
	return days_before[month - 1];
}

int calendar_days_in(int64_t year, int month)
{
	return days_before[month] - days_before[month - 1] + (month == 2 && calendar_is_leap(year));
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Years are counted from March here: the leap day is then the last of its year, and months have lengths that one line gives. */
static int64_t days_from_date(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = floor_div(y, 400);
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * DAYS_PER_400_YEARS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
	       DAYS_FROM_MARCH_0_TO_1970;
}

void calendar_from_seconds(int64_t seconds, struct calendar *ret)
{
	int64_t days = floor_div(seconds, SECONDS_PER_DAY);
	int64_t z = days + DAYS_FROM_MARCH_0_TO_1970;
	int64_t era = floor_div(z, DAYS_PER_400_YEARS);
	int64_t day_of_era = z - era * DAYS_PER_400_YEARS;
	int64_t year_of_era = (day_of_era - day_of_era / (DAYS_PER_4_YEARS - 1) + day_of_era / DAYS_PER_100_YEARS -
				      day_of_era / (DAYS_PER_400_YEARS - 1)) /
			      365;
	int day_of_year = (int)(day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100));
	int month = (5 * day_of_year + 2) / 153;
	int clock = (int)(seconds - days * SECONDS_PER_DAY);

	ret->day = day_of_year - (153 * month + 2) / 5 + 1;
	ret->month = month < 10 ? month + 3 : month - 9;
	ret->year = year_of_era + era * 400 + (ret->month <= 2);
	ret->year_day = days_before[ret->month - 1] + ret->day + (ret->month > 2 && calendar_is_leap(ret->year));
	ret->weekday = (int)(days + 4 - floor_div(days + 4, 7) * 7);
	ret->hour = clock / 3600;
	ret->minute = clock / 60 % 60;
	ret->second = clock % 60;
}

bool calendar_to_seconds(const struct calendar_sum *s, int64_t *ret_seconds, int32_t *ret_nanosecond)
{
	__int128 month = (__int128)s->month - 1;
	__int128 year = s->year;
	__int128 total = s->nanosecond;
	__int128 carry = total / NS_PER_SECOND - (total % NS_PER_SECOND < 0);
	int32_t nanosecond = (int32_t)(total - carry * NS_PER_SECOND);
	__int128 years = month / 12 - (month % 12 < 0);

	year += years;
	if (year > YEAR_MAX || year < -YEAR_MAX)
		return false;
	total = days_from_date((int64_t)year, (int)(month - years * 12) + 1, 1);
	total = (total + s->day - 1) * SECONDS_PER_DAY + (__int128)s->hour * 3600 + (__int128)s->minute * 60 +
		s->second + carry;
	if (total > CALENDAR_SECONDS_MAX || total < -CALENDAR_SECONDS_MAX)
		return false;
	*ret_seconds = (int64_t)total;
	*ret_nanosecond = nanosecond;
	return true;
}
