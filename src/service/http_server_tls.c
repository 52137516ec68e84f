#include "service/http_server_tls.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/secret.h"

enum { CERTIFICATES_MAX = 256, HOSTS_MAX = 256, HOST_BYTES_MAX = 253 };

/* -- what the block says ----------------------------------------------------------------------------- */

struct tls_texts {
	const char *mode, *cert, *key, *cert_env, *key_env, *client_auth, *client_ca, *client_ca_env;
	const struct value *certificates;
};

/* An empty map is an empty list to some formats, and the other way round. */
static bool is_or_empty(const struct value *v, enum value_type type)
{
	enum value_type is = value_type(v);

	return is == VALUE_NIL || is == type || ((is == VALUE_MAP || is == VALUE_LIST) && value_count(v) == 0);
}

static int read_texts(const struct value *tls, struct tls_texts *t, struct err *e)
{
	const struct {
		const char *name;
		const char **text;
	} fields[] = {
		{"mode", &t->mode},
		{"cert", &t->cert},
		{"key", &t->key},
		{"cert_env", &t->cert_env},
		{"key_env", &t->key_env},
		{"client_auth", &t->client_auth},
		{"client_ca", &t->client_ca},
		{"client_ca_env", &t->client_ca_env},
	};

	if (!is_or_empty(tls, VALUE_MAP))
		return err_set(e, ERR_INVALID, "failed to unmarshal config: field 'tls' must be a map");
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		*fields[i].text = "";
		if (value_read_string(tls, fields[i].name, fields[i].text, e) < 0)
			return err_prefix(e, "failed to unmarshal config: tls");
	}
	t->certificates = value_get(tls, "certificates");
	if (!is_or_empty(t->certificates, VALUE_LIST))
		return err_set(e, ERR_INVALID, "failed to unmarshal config: field 'tls.certificates' must be a list");
	return 0;
}

static int check_pairs(const struct tls_texts *t, const char *where, struct err *e)
{
	if (!*t->cert != !*t->key)
		return err_set(e, ERR_INVALID, "%s: cert and key must both be set", where);
	if (!*t->cert_env != !*t->key_env)
		return err_set(e, ERR_INVALID, "%s: cert_env and key_env must both be set", where);
	if (!*t->cert && !*t->cert_env)
		return err_set(e, ERR_INVALID, "%s requires cert+key or cert_env+key_env", where);
	if (*t->cert && *t->cert_env)
		return err_set(e, ERR_INVALID, "%s: set either cert+key or cert_env+key_env, not both", where);
	return 0;
}

static bool read_client_auth(const char *text, enum tls_client_auth *ret)
{
	static const char *const names[] = {"", "request", "require_any", "verify_if_given", "require_and_verify"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], text) == 0) {
			*ret = (enum tls_client_auth)i;
			return true;
		}
	}
	return false;
}

static int check_client_auth(const struct tls_texts *t, struct err *e)
{
	enum tls_client_auth auth = TLS_CLIENT_AUTH_NONE;
	bool has_ca = *t->client_ca || *t->client_ca_env, known = read_client_auth(t->client_auth, &auth);

	if (*t->client_ca && *t->client_ca_env)
		return err_set(e, ERR_INVALID, "set either client_ca or client_ca_env, not both");
	if (has_ca && !*t->client_auth)
		return err_set(e, ERR_INVALID, "client_ca set but client_auth is empty");
	if (!has_ca && (auth == TLS_CLIENT_AUTH_VERIFY_IF_GIVEN || auth == TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY))
		return err_set(e, ERR_INVALID, "client_auth verification modes require client_ca or client_ca_env");
	if (!known)
		return err_set(e, ERR_INVALID, "invalid tls.client_auth: %.100s", t->client_auth);
	return 0;
}

/* -- certificates by name ---------------------------------------------------------------------------- */

static bool is_host(const char *s)
{
	size_t n = strlen(s);

	if (strncmp(s, "*.", 2) == 0)
		s += 2;
	if (!*s || n > HOST_BYTES_MAX)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("-_.", *s))
			return false;
	return true;
}

/* `hosts` may be one name. */
static size_t count_hosts(const struct value *hosts)
{
	return value_type(hosts) == VALUE_STRING ? 1 : value_type(hosts) == VALUE_LIST ? value_count(hosts) : 0;
}

static const char *host_at(const struct value *hosts, size_t i)
{
	return value_text(value_type(hosts) == VALUE_STRING ? hosts : value_at(hosts, i), "");
}

static int check_certificate(const struct value *item, size_t i, struct err *e)
{
	const struct value *hosts = value_get(item, "hosts");
	char where[64];
	struct tls_texts t;

	snprintf(where, sizeof(where), "tls.certificates[%zu]", i);
	if (read_texts(item, &t, e) < 0)
		return -1;
	if (count_hosts(hosts) == 0 || count_hosts(hosts) > HOSTS_MAX)
		return err_set(e, ERR_INVALID, "%s: hosts must list 1 to %d names", where, HOSTS_MAX);
	for (size_t k = 0; k < count_hosts(hosts); k++)
		if (!is_host(host_at(hosts, k)))
			return err_set(e, ERR_INVALID,
				"%s: invalid host '%.100s': expected a name such as shop.example.com or *.example.com",
				where, host_at(hosts, k));
	return check_pairs(&t, where, e);
}

static int check(const struct value *tls, enum server_tls_mode *ret_mode, struct err *e)
{
	struct tls_texts t;
	bool certs, mtls;

	if (read_texts(tls, &t, e) < 0)
		return -1;
	certs = *t.cert || *t.key || *t.cert_env || *t.key_env || value_count(t.certificates) > 0;
	mtls = *t.client_auth || *t.client_ca || *t.client_ca_env;
	if (!*t.mode) {
		if (certs || mtls)
			return err_set(e, ERR_INVALID, "tls.mode=off must not set cert/key or mTLS fields");
		*ret_mode = SERVER_TLS_OFF;
		return 0;
	}
	if (strcmp(t.mode, "auto") == 0) {
		if (certs)
			return err_set(e, ERR_INVALID, "tls.mode=auto must not set cert/key (driver-managed)");
		if (mtls)
			return err_set(e, ERR_INVALID, "mTLS (client_auth) requires tls.mode=manual");
		*ret_mode = SERVER_TLS_AUTO;
		return 0;
	}
	if (strcmp(t.mode, "manual") != 0)
		return err_set(e, ERR_INVALID, "invalid tls.mode: %.100s", t.mode);
	if (check_pairs(&t, "tls.mode=manual", e) < 0 || check_client_auth(&t, e) < 0)
		return -1;
	if (value_count(t.certificates) > CERTIFICATES_MAX)
		return err_set(e, ERR_INVALID, "tls.certificates: at most %d are possible", CERTIFICATES_MAX);
	for (size_t i = 0; i < value_count(t.certificates); i++)
		if (check_certificate(value_at(t.certificates, i), i, e) < 0)
			return -1;
	*ret_mode = SERVER_TLS_MANUAL;
	return 0;
}

/* -- its texts --------------------------------------------------------------------------------------- */

/* A certificate and its key, or a CA: ours while a context is made of them. */
struct pem_text {
	char *cert;
	char *key;
	/* Whatever an error should quote of the key, people do not see it. */
	struct secret *secret;
};

static int read_text(
	struct env *env, const char *ns, const char *inline_text, const char *name, char **ret, struct err *e)
{
	struct err why;

	if (*inline_text) {
		*ret = xstrdup(inline_text);
		return 0;
	}
	if (*name && env_lookup(env, ns, name, ret, &why) < 0)
		return err_set(e, ERR_INVALID, "failed to resolve TLS env variable: %.200s", name);
	return 0;
}

static int read_pair(struct env *env, const char *ns, const struct tls_texts *t, struct pem_text *p, struct err *e)
{
	if (read_text(env, ns, t->cert, t->cert_env, &p->cert, e) < 0 ||
		read_text(env, ns, t->key, t->key_env, &p->key, e) < 0)
		return -1;
	p->secret = secret_new(p->key, strlen(p->key));
	return 0;
}

static void pem_text_done(struct pem_text *p)
{
	env_text_free(p->cert);
	env_text_free(p->key);
	secret_free(p->secret);
}

/* Arrays of both live as long as the call of server_tls_load(). */
struct name_list {
	struct tls_server_name *names;
	struct pem_text *texts;
	size_t n;
};

static int read_names(
	struct env *env, const char *ns, const struct value *certificates, struct name_list *list, struct err *e)
{
	size_t n = value_count(certificates);

	if (n == 0)
		return 0;
	list->names = xcalloc(n, sizeof(*list->names));
	list->texts = xcalloc(n, sizeof(*list->texts));
	for (; list->n < n; list->n++) {
		const struct value *item = value_at(certificates, list->n), *hosts = value_get(item, "hosts");
		struct tls_server_name *name = &list->names[list->n];
		struct pem_text *text = &list->texts[list->n];
		const char **texts;
		struct tls_texts t;

		if (read_texts(item, &t, e) < 0 || read_pair(env, ns, &t, text, e) < 0) {
			pem_text_done(text);
			return -1;
		}
		name->nhosts = count_hosts(hosts);
		texts = xcalloc(name->nhosts, sizeof(char *));
		for (size_t k = 0; k < name->nhosts; k++)
			texts[k] = host_at(hosts, k);
		name->hosts = texts;
		name->cert = text->cert;
		name->key = text->key;
	}
	return 0;
}

static void name_list_done(struct name_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		pem_text_done(&list->texts[i]);
		free((void *)(uintptr_t)list->names[i].hosts);
	}
	free(list->names);
	free(list->texts);
}

static int load(struct env *env, const char *ns, const struct value *tls, struct tls_server **server, struct err *e)
{
	struct tls_server_config cfg = {0};
	struct pem_text own = {0};
	struct name_list list = {0};
	char *client_ca = NULL;
	struct tls_texts t;
	int rc = -1;

	if (read_texts(tls, &t, e) < 0 || read_pair(env, ns, &t, &own, e) < 0 ||
		read_text(env, ns, t.client_ca, t.client_ca_env, &client_ca, e) < 0 ||
		read_names(env, ns, t.certificates, &list, e) < 0)
		goto out;
	read_client_auth(t.client_auth, &cfg.client_auth);
	cfg.cert = own.cert;
	cfg.key = own.key;
	cfg.client_ca = client_ca;
	cfg.names = list.names;
	cfg.nnames = list.n;
	rc = *server ? tls_server_set(*server, &cfg, e) : tls_server_new(&cfg, server, e);
out:
	name_list_done(&list);
	pem_text_done(&own);
	env_text_free(client_ca);
	return rc;
}

/* A text that came out of a placeholder is in nobody else's tree. */
static void wipe_key(const struct value *expanded, const struct value *plain)
{
	const struct value *fresh = value_get(expanded, "key");
	const char *text;
	size_t len;

	if (value_type(fresh) != VALUE_STRING || fresh == value_get(plain, "key"))
		return;
	text = value_get_string(fresh, &len);
	explicit_bzero((char *)(uintptr_t)text, len);
}

static void wipe_keys(const struct value *expanded, const struct value *plain)
{
	const struct value *fresh = value_get(expanded, "certificates"), *old = value_get(plain, "certificates");

	wipe_key(expanded, plain);
	if (value_type(fresh) != VALUE_LIST || value_type(old) != VALUE_LIST)
		return;
	for (size_t i = 0; i < value_count(fresh) && i < value_count(old); i++)
		wipe_key(value_at(fresh, i), value_at(old, i));
}

int server_tls_load(struct env *env, const char *ns, const struct value *tls, struct tls_server **server, struct err *e)
{
	struct value *expanded;
	enum server_tls_mode mode;
	int rc;

	if (env_expand(env, ns, tls, &expanded, e) < 0)
		return err_prefix(e, "tls");
	/* Again: variables may say something else by now, or nothing. */
	rc = check(expanded, &mode, e);
	if (rc == 0 && mode != SERVER_TLS_MANUAL)
		rc = err_set(e, ERR_INVALID, "tls.mode is not manual any more: a variable has changed");
	if (rc == 0)
		rc = load(env, ns, expanded, server, e);
	wipe_keys(expanded, tls);
	value_unref(expanded);
	return rc;
}

int server_tls_check(
	struct env *env, const char *ns, const struct value *tls, enum server_tls_mode *ret_mode, struct err *e)
{
	struct value *expanded;
	int rc;

	if (env_expand(env, ns, tls, &expanded, e) < 0)
		return err_prefix(e, "tls");
	rc = check(expanded, ret_mode, e);
	wipe_keys(expanded, tls);
	value_unref(expanded);
	return rc;
}
