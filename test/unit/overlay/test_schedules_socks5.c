/*
 * The driver of network.socks5 against scripted proxies, under random schedules: see schedule.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schedule.h"
#include "socks_peer.h"

static const char *const hosts[] = {"name.example", "other.example",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.onion", "192.0.2.7", "2001:db8::7", NULL};

/* Whoever comes without isolation has these. */
struct account {
	char user[17], password[25];
};

static struct account accounts[PEERS];

static struct socks_manners manners(struct conn *c)
{
	(void)c;
	return (struct socks_manners){.wants_login = true, .insists = true};
}

static void open_peer(struct peer *p)
{
	struct account *a = &accounts[p->index];

	socks_manners_of = manners;
	world_make_secret(p->world, a->user, sizeof(a->user));
	world_make_secret(p->world, a->password, sizeof(a->password));
	peer_add_port(p, &socks_script);
}

static struct value *entry(struct peer *p, enum isolation isolation)
{
	struct value *v = value_map();

	value_map_set(v, "host", value_cstring("127.0.0.1"));
	value_map_set(v, "port", value_int(p->ports[0].number));
	value_map_set(v, "username", value_cstring(accounts[p->index].user));
	value_map_set(v, "password", value_cstring(accounts[p->index].password));
	add_isolation(v, isolation);
	return v;
}

/* It keeps no session: what a dial meets is the state, and "starting" is over with the first. */
static bool may_follow(enum overlay_state from, enum overlay_state to, bool was_ready)
{
	(void)from;
	(void)was_ready;
	return to != OVERLAY_STARTING;
}

static const struct protocol protocol = {
	.driver = &socks5_driver,
	.hosts = hosts,
	.tunnels_have_ports = true,
	.dials_literals = true,
	.open_peer = open_peer,
	.entry = entry,
	.may_follow = may_follow,
	.settle_s = 60,
};

static void test_every_step(void **state)
{
	(void)state;
	run_every_step(&protocol);
}

static void test_schedules(void **state)
{
	(void)state;
	run_schedules(&protocol, false);
}

static void test_schedules_with_a_worker(void **state)
{
	(void)state;
	run_schedules(&protocol, true);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_step, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_schedules, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_schedules_with_a_worker, scratch_setup, scratch_teardown),
	};

	(void)argc;
	schedules_begin(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
