/*
 * driver_fixture.h - how each test of a driver begins and ends: a loop, an environment whose state directory is fresh, and at the end no descriptor and no directory left.
 *
 * A test program includes cmocka.h and this. Its tests run as cmocka_unit_test_setup_teardown(test, set_up, tear_down).
 */
#ifndef DRIVER_FIXTURE_H
#define DRIVER_FIXTURE_H

#include "overlay/driver.h"
#include "overlay_test.h"
#include "scratch.h"

static struct overlay_env env;
static struct loop *loop;
static unsigned fds_at_start;

static int set_up(void **state)
{
	forget_log();
	atomic_store(&lookups, 0);
	fds_at_start = count_fds();
	loop = loop_new();
	if (scratch_setup(state) < 0)
		return -1;
	env = (struct overlay_env){.state_dir = scratch_dir, .control = loop};
	return 0;
}

static int tear_down(void **state)
{
	loop_free(loop); /* asserts that nothing is left on it */
	forget_log();
	assert_int_equal(count_fds(), fds_at_start);
	return scratch_teardown(state);
}

/* Run the loop until `cond`, at most five seconds. */
#define WAIT_FOR(cond)                                           \
	do {                                                     \
		for (unsigned i_ = 0; i_ < 500 && !(cond); i_++) \
			run_for(loop, 10);                       \
		assert_true(cond);                               \
	} while (0)

/* The data of an entry whose proxy or bridge is at a port of this machine. */
static inline struct value *entry(uint16_t port)
{
	struct value *v = value_map();

	value_map_set(v, "host", value_cstring("127.0.0.1"));
	value_map_set(v, "port", value_int(port));
	return v;
}

/* The map `v` with one more field. */
static inline struct value *with(struct value *v, const char *key, struct value *item)
{
	value_map_set(v, key, item);
	return v;
}

/* Read the entry, which must be good; takes `data`. */
static inline struct overlay *open_entry(const struct overlay_driver *driver, const char *id, struct value *data)
{
	struct overlay *o = NULL;
	struct err e = {0};

	if (overlay_open(driver, &env, id, data, &o, &e) < 0)
		fail_msg("%s", e.text);
	value_unref(data);
	return o;
}

/* The same, started. */
static inline struct overlay *start_entry(const struct overlay_driver *driver, const char *id, struct value *data)
{
	struct overlay *o = open_entry(driver, id, data);
	struct err e = {0};

	assert_int_equal(overlay_start(o, &e), 0);
	return o;
}

/* Stop, and let what is under way between the threads come to its end. */
static inline void end_overlay(struct overlay *o)
{
	overlay_stop(o);
	run_for(loop, 5);
	overlay_unref(o);
	run_for(loop, 5);
}

static inline enum overlay_state state_of(struct overlay *o)
{
	struct overlay_status s;

	overlay_get_status(o, &s);
	return s.state;
}

#endif
