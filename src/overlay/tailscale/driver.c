/*
 * driver.c - the driver of `network.tailscale`: a node of a tailnet, run by the sidecar (sidecar.h).
 *
 * start() binds the SOCKS5 socket on the loopback and starts the sidecar with it; it does not wait for the login. Dials wait for the node in the sidecar, under their own deadline.
 * Two instances never use one state directory at a time: the sidecar locks it, so a new instance's sidecar waits for the old one's end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "overlay/tailscale/program.h"
#include "overlay/tailscale/tailscale.h"
#include "value/json.h"

#define DEFAULT_HOSTNAME "wippy"

enum {
	HOSTNAME_MAX = 63, /* one label of a DNS name */
	FIELD_MAX = 4096,
	SOCKS_BACKLOG = 511, /* dials that come while there is no sidecar wait there */
	TOKEN_BYTES = 16,
	CONFIG_BYTES = 8 * FIELD_MAX, /* before what escapes add */
};

/* -- the entry -------------------------------------------------------------------------------------- */

static void tailscale_close(struct overlay *o)
{
	struct tailscale *t = container_of(o, struct tailscale, base);

	secret_free(t->auth_key);
	secret_free(t->user);
	secret_free(t->password);
	secret_free(t->config);
	if (t->socks_fd >= 0)
		close(t->socks_fd);
	free(t->hostname);
	free(t->state_dir);
	free(t->control_url);
	free(t->exit_node);
	free(t->program);
	free(t);
}

static int read_text(const struct value *data, const char *key, char **ret, size_t max, struct err *e)
{
	const char *text = "";

	if (value_read_string(data, key, &text, e) < 0)
		return err_prefix(e, "failed to unmarshal config");
	if (strlen(text) > max)
		return err_set(e, ERR_INVALID, "invalid configuration: network: %s has more than %zu bytes", key, max);
	*ret = xstrdup(text);
	return 0;
}

static int read_flag(const struct value *data, const char *key, bool *ret, struct err *e)
{
	return value_read_bool(data, key, ret, e) < 0 ? err_prefix(e, "failed to unmarshal config") : 0;
}

/* Unlike read_text(), an error never shows the value. */
static int read_auth_key(const struct value *data, struct secret **ret, struct err *e)
{
	const struct value *v = value_get(data, "auth_key");
	const char *text;
	size_t len;

	if (value_type(v) == VALUE_NIL || (value_type(v) == VALUE_STRING && !*value_get_string(v, NULL)))
		return err_set(e, ERR_INVALID,
			"invalid configuration: network: tailscale auth_key or auth_key_env is required");
	if (value_type(v) != VALUE_STRING)
		return err_set(e, ERR_INVALID,
			"failed to unmarshal config: line %u: field 'auth_key': expected string, got %s; put it in "
			"quotes",
			value_line(v), value_type_name(v));
	text = value_get_string(v, &len);
	if (len > FIELD_MAX || strlen(text) != len)
		return err_set(
			e, ERR_INVALID, "invalid configuration: network: auth_key is too long or contains a NUL byte");
	*ret = secret_new(text, len);
	return 0;
}

static bool is_label(const char *s)
{
	for (const char *c = s; *c; c++) {
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '-' ||
			    *c == '_'))
			return false;
	}
	return true;
}

static bool is_url(const char *s)
{
	if (strncmp(s, "http://", 7) != 0 && strncmp(s, "https://", 8) != 0)
		return false;
	for (const char *c = s; *c; c++) {
		if (*c <= ' ' || *c >= 0x7f)
			return false;
	}
	return true;
}

static int check_fields(const struct tailscale *t, struct err *e)
{
	if (!is_label(t->hostname))
		return err_set(e, ERR_INVALID,
			"invalid configuration: network: invalid hostname '%s': letters, digits and '-' only",
			t->hostname);
	if (t->control_url[0] && !is_url(t->control_url))
		return err_set(e, ERR_INVALID,
			"invalid configuration: network: invalid control_url: write it as https://name or http://name");
	return 0;
}

static int tailscale_open(const struct value *data, struct overlay **ret_overlay, struct err *e)
{
	struct tailscale *t = xcalloc(1, sizeof(*t));

	t->socks_fd = -1;
	t->strict = true;
	list_init(&t->listeners);
	if (read_auth_key(data, &t->auth_key, e) < 0 ||
		read_text(data, "hostname", &t->hostname, HOSTNAME_MAX, e) < 0 ||
		read_text(data, "state_dir", &t->state_dir, FIELD_MAX, e) < 0 ||
		read_text(data, "control_url", &t->control_url, FIELD_MAX, e) < 0 ||
		read_text(data, "exit_node", &t->exit_node, HOST_TEXT_MAX, e) < 0 ||
		read_flag(data, "ephemeral", &t->ephemeral, e) < 0 || read_flag(data, "strict", &t->strict, e) < 0 ||
		check_fields(t, e) < 0) {
		tailscale_close(&t->base);
		return -1;
	}
	*ret_overlay = &t->base;
	return 0;
}

/* -- beginning --------------------------------------------------------------------------------------- */

static struct secret *make_token(void)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[TOKEN_BYTES];
	char text[2 * TOKEN_BYTES];
	struct secret *s;

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return NULL;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	s = secret_new(text, sizeof(text));
	explicit_bzero(bytes, sizeof(bytes));
	explicit_bzero(text, sizeof(text));
	return s;
}

/* Bound and listening before the sidecar is there, and for as long as we are: nobody else can take its place, and dials can begin at once. */
static int bind_socks(struct tailscale *t, struct err *e)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);

	t->socks_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->socks_fd < 0 || bind(t->socks_fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
		listen(t->socks_fd, SOCKS_BACKLOG) < 0 || getsockname(t->socks_fd, (struct sockaddr *)&sin, &len) < 0)
		return err_set_errno(e, ERR_UNAVAILABLE, errno, "a socket on the loopback");
	atomic_store_explicit(&t->socks_port, ntohs(sin.sin_port), memory_order_release);
	return 0;
}

static void add_member(struct buf *b, const char *name, const char *text)
{
	buf_addf(b, "%s\"%s\":", buf_len(b) > 1 ? "," : "", name);
	json_write_string(text, strlen(text), b);
}

static void make_config(struct tailscale *t, const char *state_dir)
{
	struct buf b = BUF_INIT;

	buf_reserve(&b, CONFIG_BYTES); /* so that no copy of the key stays behind in freed memory */
	buf_addc(&b, '{');
	add_member(&b, "hostname", t->hostname[0] ? t->hostname : DEFAULT_HOSTNAME);
	add_member(&b, "state_dir", state_dir);
	add_member(&b, "control_url", t->control_url);
	add_member(&b, "exit_node", t->exit_node);
	add_member(&b, "user", secret_reveal(t->user));
	add_member(&b, "password", secret_reveal(t->password));
	add_member(&b, "auth_key", secret_reveal(t->auth_key));
	buf_addf(&b, ",\"ephemeral\":%s,\"strict\":%s,\"verbose\":%s}", t->ephemeral ? "true" : "false",
		t->strict ? "true" : "false", getenv("WIPPY_TSNET_LOG") ? "true" : "false");
	t->config = secret_new(buf_data(&b), buf_len(&b));
	explicit_bzero(b.mem, b.cap);
	buf_done(&b);
}

static int find_state_dir(const struct tailscale *t, char **ret, struct err *e)
{
	const char *colon = strrchr(overlay_id(&t->base), ':');
	const char *node = t->hostname[0] ? t->hostname : colon ? colon + 1 : overlay_id(&t->base);

	if (!t->state_dir[0])
		return overlay_state_path(t->base.env, "tailscale", node, ret, e);
	if (overlay_make_dir(t->state_dir, e) < 0)
		return -1;
	if (access(t->state_dir, R_OK | W_OK | X_OK) < 0)
		return err_set_errno(e, ERR_INTERNAL, errno, "cannot use the state directory '%.256s'", t->state_dir);
	*ret = xstrdup(t->state_dir);
	return 0;
}

/* -- what the sidecar tells ----------------------------------------------------------------------------- */

static void on_started(void *arg)
{
	tailscale_listen_again(arg);
}

static void on_event(void *arg, const struct sidecar_event *ev)
{
	struct tailscale *t = arg;

	if (ev->type != SIDECAR_STATE) {
		tailscale_listen_event(t, ev);
		return;
	}
	overlay_set_address(&t->base, ev->address);
	overlay_set_state(&t->base, ev->state, "%s", ev->text);
	if (ev->state == OVERLAY_READY)
		log_info("tailscale", "the node is on the tailnet", LOG_STR("overlay", overlay_id(&t->base)),
			LOG_STR("address", ev->address), LOG_STR("name", ev->node_name));
}

static void on_lost(void *arg, const char *why)
{
	struct tailscale *t = arg;

	overlay_set_state(&t->base, OVERLAY_DOWN, "%s; it is started again", why);
	log_warn("tailscale", "the sidecar of the node is gone and is started again",
		LOG_STR("overlay", overlay_id(&t->base)), LOG_STR("error", why));
}

static void on_accepted(void *arg, int fd, const struct sidecar_notice *notice)
{
	tailscale_accepted(arg, fd, notice);
}

/* -- start and stop -------------------------------------------------------------------------------------- */

static int bring_up(struct tailscale *t, struct err *e)
{
	struct sidecar_options opt = {
		.loop = t->base.env->control,
		.started = on_started,
		.event = on_event,
		.lost = on_lost,
		.accepted = on_accepted,
		.arg = t,
	};
	char *state_dir = NULL;
	int rc = -1;

	if (sidecar_program_find(t->base.env->sidecar, &t->program, e) < 0 || find_state_dir(t, &state_dir, e) < 0)
		goto out;
	t->user = make_token();
	t->password = make_token();
	if (!t->user || !t->password) {
		err_set_errno(e, ERR_INTERNAL, errno, "no random bytes");
		goto out;
	}
	if (bind_socks(t, e) < 0)
		goto out;
	make_config(t, state_dir);
	opt.program = t->program;
	opt.config = secret_reveal(t->config);
	opt.socks_fd = t->socks_fd;
	rc = sidecar_new(&opt, &t->sidecar, e);
out:
	free(state_dir);
	return rc;
}

static int tailscale_start(struct overlay *o, struct err *e)
{
	struct tailscale *t = container_of(o, struct tailscale, base);

	if (bring_up(t, e) == 0)
		return 0;
	e->kind = ERR_UNAVAILABLE;
	return err_prefix(e, "tailscale: failed to start service");
}

static void tailscale_stop(struct overlay *o)
{
	struct tailscale *t = container_of(o, struct tailscale, base);

	sidecar_free(t->sidecar);
	t->sidecar = NULL;
	/* Dials that no sidecar has taken yet fail now and not at their deadlines. */
	atomic_store_explicit(&t->socks_port, 0, memory_order_release);
	close(t->socks_fd);
	t->socks_fd = -1;
}

static const char *const fields[] = {"hostname", "state_dir", "control_url", "ephemeral", "strict", "exit_node", NULL};
static const char *const secret_fields[] = {"auth_key", NULL};

const struct overlay_driver tailscale_driver = {
	.kind = "network.tailscale",
	.label = "tailscale",
	.fields = fields,
	.secret_fields = secret_fields,
	.open = tailscale_open,
	.dial = tailscale_dial,
	.cancel = tailscale_cancel,
	.close = tailscale_close,
	.start = tailscale_start,
	.stop = tailscale_stop,
	.exclusive = true,
	.resolver = "tailnet",
	.listen = tailscale_listen,
	.unlisten = tailscale_unlisten,
	.issues_tls = true,
};
