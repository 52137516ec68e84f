#include "service/announce.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "overlay/overlay.h"
#include "registry/secret.h"
#include "value/json.h"

static const char supervisor[] = "supervisor";

int64_t announce_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static struct value *text(const char *s)
{
	return value_string(s, strlen(s));
}

static void publish(struct bus *b, const char *system, const char *kind, const char *path, const struct value *data)
{
	if (b)
		bus_publish(b, system, kind, path, bus_pack(system, kind, path, data));
}

void announce_service_registered(struct bus *b, const char *id)
{
	publish(b, supervisor, "service.register", id, NULL);
}

void announce_service_removed(struct bus *b, const char *id)
{
	publish(b, supervisor, "service.remove", id, NULL);
}

void announce_service(struct bus *b, const char *id, const struct service_report *r)
{
	struct value *data = value_map();

	value_map_set(data, "status", text(r->status));
	value_map_set(data, "desired", text(r->desired));
	if (r->details)
		value_map_set(data, "details", text(r->details));
	value_map_set(data, "retry_count", value_int(r->retry_count));
	value_map_set(data, "last_update", value_int(announce_now_ns()));
	if (r->started_at_ns)
		value_map_set(data, "started_at", value_int(r->started_at_ns));
	publish(b, supervisor, "service.update", id, data);
	value_unref(data);
}

void announce_listening(struct bus *b, const char *id, const char *service, const char *address)
{
	struct value *data = value_map();

	value_map_set(data, "id", text(id));
	value_map_set(data, "service", text(service));
	value_map_set(data, "address", text(address));
	if (strlen(id) <= BUS_PATH_MAX)
		publish(b, "network", "network.listening", id, data);
	value_unref(data);
}

void announce_network(struct bus *b, const char *id, const char *kind, const struct overlay_status *st)
{
	static const char system[] = "network";
	struct value *data = value_map();
	char event[32];

	snprintf(event, sizeof(event), "network.%s", overlay_state_name(st->state));
	value_map_set(data, "id", text(id));
	value_map_set(data, "kind", text(kind));
	if (st->reason[0])
		value_map_set(data, "reason", text(st->reason));
	if (st->address[0])
		value_map_set(data, "address", text(st->address));
	value_map_set(data, "since", value_int(st->since_ms));
	if (b && strlen(id) <= BUS_PATH_MAX)
		bus_publish_later(b, system, event, id, bus_pack(system, event, id, data));
	value_unref(data);
}

static struct value *entry_data(const struct entry *e)
{
	struct value *v = value_map();

	value_map_set(v, "id", text(e->id));
	value_map_set(v, "kind", text(e->kind));
	value_map_set(v, "meta", value_ref(e->meta));
	if (e->data)
		value_map_set(v, "data", secret_redact(e->kind, e->data));
	return v;
}

void announce_registry(struct bus *b, enum registry_event ev, const struct change *c, const struct err *e)
{
	static const char registry[] = "registry";
	static const char *const kinds[] = {
		[REGISTRY_BEGIN] = "registry.begin",
		[REGISTRY_ACCEPT] = "entry.accept",
		[REGISTRY_REJECT] = "entry.reject",
		[REGISTRY_COMMIT] = "registry.commit",
		[REGISTRY_DISCARD] = "registry.discard",
	};
	const char *kind = ev == REGISTRY_OPERATION ? change_type_name(c->type) : kinds[ev];
	struct value *data = NULL;

	/* An id may be longer than a path on the bus. */
	if (c && strlen(c->entry->id) > BUS_PATH_MAX)
		return;
	if (ev == REGISTRY_OPERATION) {
		data = entry_data(c->entry);
	} else if (e) {
		data = value_map();
		value_map_set(data, "error", text(e->text));
	}
	publish(b, registry, kind, c ? c->entry->id : registry, data);
	value_unref(data);
}

static struct value *field_value(const struct log_field *f)
{
	struct value *v;

	switch (f->type) {
	case LOG_TYPE_INT:
		return value_int(f->i);
	case LOG_TYPE_FLOAT:
		return value_float(f->f);
	case LOG_TYPE_BOOL:
		return value_bool(f->b);
	case LOG_TYPE_JSON:
		if (json_parse(f->str, strlen(f->str), &v, NULL) == 0)
			return v;
		break;
	case LOG_TYPE_STR:
		break;
	}
	return text(f->str ? f->str : "");
}

static const char *level_name(enum log_level l)
{
	switch (l) {
	case LOG_DEBUG:
		return "debug";
	case LOG_INFO:
		return "info";
	case LOG_WARN:
		return "warn";
	case LOG_ERROR:
		return "error";
	}
	return "";
}

void announce_log(void *bus, const struct log_record *r)
{
	static const char system[] = "logs", kind[] = "logs.entry";
	char path[BUS_PATH_MAX + 1] = "";
	struct value *data = value_map(), *fields = value_map();

	/* Names of loggers are a program's choice. */
	strncat(path, r->name, BUS_PATH_MAX);
	for (size_t i = 0; i < r->nfields; i++)
		value_map_set(fields, r->fields[i].key, field_value(&r->fields[i]));
	value_map_set(data, "level", text(level_name(r->level)));
	value_map_set(data, "logger", text(r->name));
	value_map_set(data, "message", text(r->message));
	value_map_set(data, "time", value_int(announce_now_ns()));
	value_map_set(data, "fields", fields);
	bus_publish_later(bus, system, kind, path, bus_pack(system, kind, path, data));
	value_unref(data);
}
