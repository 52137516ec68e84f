/*
 * lines.c - lines, events and notices of the sidecar.
 */
#include "overlay/tailscale/lines.h"

#include <string.h>

#include "value/json.h"

/* -- lines ---------------------------------------------------------------------------------------- */

void sidecar_lines_add(struct sidecar_lines *l, const char *bytes, size_t len)
{
	buf_add(&l->in, bytes, len);
}

bool sidecar_lines_next(struct sidecar_lines *l, const char **ret_line, size_t *ret_len)
{
	buf_consume(&l->in, l->taken);
	l->taken = 0;
	for (;;) {
		const char *data = buf_data(&l->in);
		const char *end = memchr(data, '\n', buf_len(&l->in));
		size_t len = end ? (size_t)(end - data) : buf_len(&l->in);
		bool wanted = !l->skipping && len > 0 && len < SIDECAR_LINE_MAX;

		if (!end) {
			if (len >= SIDECAR_LINE_MAX)
				l->skipping = true;
			if (l->skipping)
				buf_clear(&l->in);
			return false;
		}
		l->skipping = false;
		if (wanted) {
			*ret_line = data;
			*ret_len = len;
			l->taken = len + 1;
			return true;
		}
		buf_consume(&l->in, len + 1);
	}
}

void sidecar_lines_done(struct sidecar_lines *l)
{
	buf_done(&l->in);
	*l = (struct sidecar_lines){0};
}

/* -- members ---------------------------------------------------------------------------------------- */

/* Cut between characters; control characters become blanks. An absent member is "". */
static void copy_text(const struct value *map, const char *key, char out[static SIDECAR_TEXT_MAX])
{
	const struct value *v = value_get(map, key);
	size_t len = 0, n = 0;
	const char *s = value_type(v) == VALUE_STRING ? value_get_string(v, &len) : "";

	if (len >= SIDECAR_TEXT_MAX) {
		len = SIDECAR_TEXT_MAX - 1;
		while (len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80)
			len--;
	}
	for (size_t i = 0; i < len; i++)
		out[n++] = (unsigned char)s[i] < ' ' || s[i] == 0x7f ? ' ' : s[i];
	out[n] = '\0';
}

static int read_id(const struct value *map, uint64_t *ret, struct err *e)
{
	const struct value *v = value_get(map, "id");

	if (value_type(v) != VALUE_INT || value_get_int(v) < 0)
		return err_set(e, ERR_INVALID, "member 'id' is no number");
	*ret = (uint64_t)value_get_int(v);
	return 0;
}

static int parse_map(const char *text, size_t len, struct value **ret, struct err *e)
{
	struct value *v;

	if (json_parse(text, len, &v, e) < 0) {
		e->kind = ERR_INVALID;
		return -1;
	}
	if (value_type(v) != VALUE_MAP) {
		value_unref(v);
		return err_set(e, ERR_INVALID, "not an object");
	}
	*ret = v;
	return 0;
}

static bool is_true(const struct value *v)
{
	return value_type(v) == VALUE_BOOL && value_get_bool(v);
}

/* -- events ----------------------------------------------------------------------------------------- */

static int read_phase(const char *name, enum overlay_state *ret, struct err *e)
{
	for (enum overlay_state s = OVERLAY_STARTING; s <= OVERLAY_DOWN; s++) {
		if (strcmp(overlay_state_name(s), name) == 0) {
			*ret = s;
			return 0;
		}
	}
	return err_set(e, ERR_INVALID, "member 'phase' is no state");
}

static int fill_event(const struct value *map, struct sidecar_event *ev, struct err *e)
{
	char name[SIDECAR_TEXT_MAX];

	copy_text(map, "event", name);
	copy_text(map, "address", ev->address);
	if (strcmp(name, "state") == 0) {
		ev->type = SIDECAR_STATE;
		copy_text(map, "reason", ev->text);
		copy_text(map, "name", ev->node_name);
		copy_text(map, "phase", name);
		return read_phase(name, &ev->state, e);
	}
	if (strcmp(name, "listening") == 0) {
		ev->type = SIDECAR_LISTENING;
		return read_id(map, &ev->id, e);
	}
	if (strcmp(name, "listen_failed") == 0) {
		ev->type = SIDECAR_LISTEN_FAILED;
		copy_text(map, "error", ev->text);
		ev->again = is_true(value_get(map, "again"));
		return read_id(map, &ev->id, e);
	}
	ev->type = SIDECAR_UNKNOWN;
	return name[0] ? 0 : err_set(e, ERR_INVALID, "member 'event' is missing");
}

int sidecar_event_parse(const char *line, size_t len, struct sidecar_event *ret, struct err *e)
{
	struct sidecar_event ev = {0};
	struct value *map;
	int rc;

	if (len >= SIDECAR_LINE_MAX)
		return err_set(e, ERR_INVALID, "too long");
	if (parse_map(line, len, &map, e) < 0)
		return -1;
	rc = fill_event(map, &ev, e);
	value_unref(map);
	if (rc == 0)
		*ret = ev;
	return rc;
}

/* -- notices ------------------------------------------------------------------------------------------- */

/* A name that were cut or changed would be another one: what does not fit as it is does not count. */
static struct value *exact_text(const struct value *v)
{
	size_t len = 0;
	const char *s = value_type(v) == VALUE_STRING ? value_get_string(v, &len) : "";

	if (len == 0 || len >= SIDECAR_TEXT_MAX)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return NULL;
	}
	return value_string(s, len);
}

/* Only what is known to be of the right type: whoever decides by an identity must not stumble over it. */
static struct value *read_identity(const struct value *who)
{
	static const char *const names[] = {"login", "user", "node", "node_id"};
	const struct value *tags = value_get(who, "tags");
	size_t ntags = value_type(tags) == VALUE_LIST ? value_count(tags) : 0;
	struct value *identity, *list, *text;

	if (value_type(who) != VALUE_MAP)
		return NULL;
	identity = value_map();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		text = exact_text(value_get(who, names[i]));
		if (text)
			value_map_set(identity, names[i], text);
	}
	list = value_list();
	for (size_t i = 0; i < ntags; i++) {
		text = exact_text(value_at(tags, i));
		if (text)
			value_list_append(list, text);
	}
	value_map_set(identity, "tags", list);
	return identity;
}

int sidecar_notice_parse(const char *text, size_t len, struct sidecar_notice *ret, struct err *e)
{
	struct sidecar_notice n = {0};
	struct value *map;
	int rc;

	if (len > SIDECAR_NOTICE_MAX)
		return err_set(e, ERR_INVALID, "too long");
	if (parse_map(text, len, &map, e) < 0)
		return -1;
	rc = read_id(map, &n.id, e);
	if (rc == 0) {
		copy_text(map, "peer", n.peer);
		n.is_tls = is_true(value_get(map, "tls"));
		n.identity = read_identity(value_get(map, "who"));
		*ret = n;
	}
	value_unref(map);
	return rc;
}

void sidecar_notice_done(struct sidecar_notice *n)
{
	value_unref(n->identity);
	n->identity = NULL;
}
