#include "actor/pid.h"

#include <string.h>

#include "actor/atom.h"

enum { HOST_MAX = 512 }; /* bytes of a host in the text */

const struct pid pid_system = {"", 0};

bool pid_equal(struct pid a, struct pid b)
{
	return a.number == b.number && a.host == b.host;
}

char *pid_format(struct pid p, char out[static PID_TEXT_MAX])
{
	static const char hex[] = "0123456789abcdef";
	int digits = 16;
	size_t len;
	char *at = out;

	*at++ = '{';
	if (p.number == 0) {
		memcpy(at, "|}", sizeof("|}"));
		return out;
	}
	if (p.number <= 0xfffff)
		digits = 5;
	else if (p.number <= 0xffffff)
		digits = 6;
	else if (p.number <= 0xffffffff)
		digits = 8;
	len = p.host ? strnlen(p.host, HOST_MAX) : 0;
	if (len > 0)
		memcpy(at, p.host, len);
	at += len;
	memcpy(at, "|0x", 3);
	at += 3;
	for (int i = digits - 1; i >= 0; i--)
		*at++ = hex[p.number >> (4 * i) & 15];
	memcpy(at, "}", 2);
	return out;
}

bool pid_is_text(const char *s, size_t len)
{
	return len > 0 && s[0] == '{';
}

/* The number of "0x0001f"; 0, which no process has, for anything else. */
static uint64_t parse_number(const char *s, size_t len)
{
	uint64_t n = 0;

	if (len < 3 || len > 18 || s[0] != '0' || s[1] != 'x')
		return 0;
	for (size_t i = 2; i < len; i++) {
		if (s[i] >= '0' && s[i] <= '9')
			n = n << 4 | (uint64_t)(s[i] - '0');
		else if (s[i] >= 'a' && s[i] <= 'f')
			n = n << 4 | (uint64_t)(s[i] - 'a' + 10);
		else
			return 0;
	}
	return n;
}

static int parse(const char *s, size_t len, struct pid *ret_pid, struct err *e)
{
	const char *end, *first, *last, *node_end;

	if (len < 2 || s[0] != '{' || s[len - 1] != '}')
		return err_set(e, ERR_INVALID, "invalid pid format: missing braces");
	s++;
	end = s + len - 2;
	first = memchr(s, '|', (size_t)(end - s));
	if (!first)
		return err_set(e, ERR_INVALID, "invalid pid format: missing pipe");
	/* The old form {node@host|x|uniq} has a middle part that means nothing. */
	last = memrchr(s, '|', (size_t)(end - s));
	node_end = memchr(s, '@', (size_t)(first - s));
	if (node_end) {
		if (node_end - s != 5 || memcmp(s, "local", 5) != 0)
			return err_set(e, ERR_NOT_FOUND, "node not found");
		s = node_end + 1;
	}
	last++;
	ret_pid->number = parse_number(last, (size_t)(end - last));
	ret_pid->host = first == s ? pid_system.host : atom_find(s, (size_t)(first - s));
	return 0;
}

/* A thread meets the same pids again and again: what a text means never changes, once its host is known. */
enum { KNOWN_PIDS = 128, KNOWN_TEXT_MAX = 55 };

struct known_pid {
	struct pid pid;
	uint8_t len;
	char text[KNOWN_TEXT_MAX];
};

int pid_parse(const char *s, size_t len, struct pid *ret_pid, struct err *e)
{
	static _Thread_local struct known_pid known[KNOWN_PIDS];
	struct known_pid *k;
	uint64_t last;

	if (len < sizeof(last) || len > KNOWN_TEXT_MAX)
		return parse(s, len, ret_pid, e);
	/* The digits are at the end. */
	memcpy(&last, s + len - sizeof(last), sizeof(last));
	k = &known[last * 0x9e3779b97f4a7c15u >> 57];
	if (k->len == len && memcmp(k->text, s, len) == 0) {
		*ret_pid = k->pid;
		return 0;
	}
	if (parse(s, len, ret_pid, e) < 0)
		return -1;
	if (ret_pid->host) {
		k->pid = *ret_pid;
		k->len = (uint8_t)len;
		memcpy(k->text, s, len);
	}
	return 0;
}
