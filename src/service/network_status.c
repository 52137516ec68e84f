#include "service/network_status.h"

#include <stdio.h>

#include "base/log.h"
#include "base/metrics.h"
#include "overlay/overlay.h"
#include "service/announce.h"
#include "service/runtime.h"

static bool is_current(struct runtime *rt, const struct overlay *o)
{
	struct overlay *current = overlay_set_get(rt->node.overlays, overlay_id(o));
	bool is = current == o;

	overlay_unref(current);
	return is;
}

/* `is_live` false: it is in no state any more. */
static void set_gauges(struct runtime *rt, const char *id, enum overlay_state state, bool is_live)
{
	for (int s = OVERLAY_STARTING; s <= OVERLAY_DOWN; s++) {
		struct metric_label labels[] = {
			{"network", id},
			{"state", overlay_state_name((enum overlay_state)s)},
		};

		metrics_gauge_set(
			rt->node.metrics, "wippy_network_state", labels, 2, is_live && (int)state == s ? 1 : 0, NULL);
	}
}

static void log_change(const char *id, const struct overlay_status *st)
{
	static const struct {
		enum log_level level;
		const char *text;
	} words[] = {
		[OVERLAY_STARTING] = {LOG_DEBUG, "overlay starting"},
		[OVERLAY_READY] = {LOG_INFO, "overlay ready"},
		[OVERLAY_DEGRADED] = {LOG_WARN, "overlay degraded"},
		[OVERLAY_DOWN] = {LOG_WARN, "overlay down"},
	};
	/* What is waited for is news. */
	enum log_level level = st->state == OVERLAY_STARTING && st->reason[0] ? LOG_INFO : words[st->state].level;
	struct log_field fields[3] = {LOG_STR("overlay", id)};
	size_t n = 1;

	if (!log_enabled(level) || (st->is_moved && !st->address[0]))
		return;
	if (st->reason[0])
		fields[n++] = LOG_STR("reason", st->reason);
	if (st->address[0])
		fields[n++] = LOG_STR("address", st->address);
	log_write(&(struct log_record){.level = level,
		.name = "network",
		.message = st->is_moved ? "overlay address" : words[st->state].text,
		.fields = fields,
		.nfields = n});
}

void network_changed(void *arg, struct overlay *o, const struct overlay_status *status)
{
	struct runtime *rt = arg;
	const char *id = overlay_id(o);

	if (!is_current(rt, o))
		return;
	log_change(id, status);
	set_gauges(rt, id, status->state, true);
	announce_network(rt->node.bus, id, overlay_kind(o), status);
}

void network_dialled(void *arg, struct overlay *o, bool connected)
{
	struct metrics *m = ((struct runtime *)arg)->node.metrics;
	struct metric_label label = {"network", overlay_id(o)};

	metrics_count(m, "wippy_network_dials_total", &label, 1, 1, NULL);
	metrics_count(m, "wippy_network_dial_failures_total", &label, 1, connected ? 0 : 1, NULL);
}

void network_removed(struct runtime *rt, struct overlay *o)
{
	struct overlay_status st;

	overlay_get_status(o, &st);
	st.state = OVERLAY_DOWN;
	st.since_ms = announce_now_ns() / 1000000;
	snprintf(st.reason, sizeof(st.reason), "%s", "the entry was removed");
	st.address[0] = '\0';
	set_gauges(rt, overlay_id(o), st.state, false);
	announce_network(rt->node.bus, overlay_id(o), overlay_kind(o), &st);
}
