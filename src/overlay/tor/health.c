#include "overlay/tor/health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/tor/control.h"

#define STATUS "STATUS_CLIENT "
#define LIVENESS "NETWORK_LIVENESS "

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

bool tor_health_take_bootstrap(struct tor_health *h, const char *text)
{
	struct buf word = BUF_INIT;
	unsigned long progress;
	char *end;
	bool ok;

	ok = control_word(text, "PROGRESS", &word) && buf_len(&word) > 0 && buf_len(&word) <= 3;
	progress = ok ? strtoul(buf_str(&word), &end, 10) : 101;
	ok = ok && *end == '\0' && progress <= 100;
	if (ok) {
		struct buf shown = BUF_INIT;

		h->progress = (unsigned)progress;
		buf_clear(&word);
		if (!control_word(text, "SUMMARY", &word))
			buf_clear(&word);
		buf_add_escaped(&shown, buf_data(&word), buf_len(&word), BOOTSTRAP_TEXT_MAX / 4);
		snprintf(h->summary, sizeof(h->summary), "%s", buf_str(&shown));
		buf_done(&shown);
	}
	buf_done(&word);
	return ok;
}

bool tor_health_is_event(const char *text)
{
	return begins(text, STATUS) || begins(text, LIVENESS);
}

bool tor_health_take_event(struct tor_health *h, const char *text)
{
	if (begins(text, LIVENESS)) {
		h->network_is_down = strcmp(text + strlen(LIVENESS), "DOWN") == 0;
		return true;
	}
	return begins(text, STATUS) && strstr(text, " BOOTSTRAP ") && tor_health_take_bootstrap(h, text);
}
