#include "bind/terminal_mode.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static struct {
	pthread_mutex_t lock;
	unsigned holders;
	bool hooked;
	struct termios before;
} mode = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* However the program ends by exit(): the person's terminal works again. */
static void restore_at_exit(void)
{
	if (mode.holders > 0)
		tcsetattr(STDIN_FILENO, TCSANOW, &mode.before);
}

int terminal_raw_enter(struct err *e)
{
	struct termios raw;
	int rc = 0;

	pthread_mutex_lock(&mode.lock);
	if (mode.holders == 0) {
		if (tcgetattr(STDIN_FILENO, &mode.before) < 0) {
			rc = err_set(e, ERR_UNAVAILABLE, "raw terminal control unavailable");
			goto out;
		}
		raw = mode.before;
		cfmakeraw(&raw);
		if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0) {
			rc = err_set(e, ERR_UNAVAILABLE, "raw terminal control unavailable");
			goto out;
		}
		if (!mode.hooked)
			atexit(restore_at_exit);
		mode.hooked = true;
	}
	mode.holders++;
out:
	pthread_mutex_unlock(&mode.lock);
	return rc;
}

void terminal_raw_leave(void)
{
	pthread_mutex_lock(&mode.lock);
	if (mode.holders > 0 && --mode.holders == 0)
		tcsetattr(STDIN_FILENO, TCSANOW, &mode.before);
	pthread_mutex_unlock(&mode.lock);
}
