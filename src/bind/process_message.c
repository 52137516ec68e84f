/*
 * process_message.c - what a program gets out of its channels: message objects, plain values, event tables.
 */
#include <string.h>

#include "bind/payload.h"
#include "bind/process.h"

/* One that carries little holds a copy and needs no finalizer; the others keep the message. */
struct message_handle {
	struct pid from;
	const struct packed *payload; /* here, or the message's; NULL = none */
	struct message *message;      /* NULL: all is here */
	const char *topic;            /* here, or the message's */
	size_t topic_len;
	char here[]; /* a copy of the payload, then one of the topic */
};

enum { MESSAGE_HERE_MAX = 4096 }; /* larger payloads are not copied */

/* Senders' pids as Lua strings, which are user values 1, 2, ... of this: a process hears from few others. One per heap. */
struct pid_texts {
	struct pid pids[64];
};

static const struct message_handle *message_check(lua_State *L)
{
	return handle_self(L, HANDLE_MESSAGE);
}

static int l_topic(lua_State *L)
{
	const struct message_handle *h = message_check(L);

	lua_pushlstring(L, h->topic, h->topic_len);
	return 1;
}

/* In a method of messages. */
static void push_pid_text(lua_State *L, struct pid pid)
{
	char text[PID_TEXT_MAX];
	struct pid_texts *known;
	size_t i;

	if (pid.number == 0) {
		lua_pushliteral(L, "");
		return;
	}
	known = lua_touserdata(L, lua_upvalueindex(1));
	i = pid.number % ARRAY_LEN(known->pids);
	if (pid_equal(known->pids[i], pid)) {
		lua_getiuservalue(L, lua_upvalueindex(1), (int)i + 1);
		return;
	}
	lua_pushstring(L, pid_format(pid, text));
	lua_pushvalue(L, -1);
	lua_setiuservalue(L, lua_upvalueindex(1), (int)i + 1);
	known->pids[i] = pid;
}

static int l_from(lua_State *L)
{
	push_pid_text(L, message_check(L)->from);
	return 1;
}

static int l_payload(lua_State *L)
{
	payload_push_within(L, message_check(L)->payload, 1);
	return 1;
}

static int l_tostring(lua_State *L)
{
	lua_pushfstring(L, "process.Message{topic=%s}", message_check(L)->topic);
	return 1;
}

static int message_gc(lua_State *L)
{
	struct message_handle *h = lua_touserdata(L, 1);

	message_free(h->message);
	h->message = NULL;
	return 0;
}

void process_message_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"from", l_from},
		{"payload", l_payload},
		{"topic", l_topic},
		{NULL, NULL},
	};
	struct pid_texts *texts;

	texts = lua_newuserdatauv(L, sizeof(*texts), ARRAY_LEN(texts->pids));
	*texts = (struct pid_texts){0};
	handle_register_kind(L, HANDLE_MESSAGE, "process.Message", methods, l_tostring, message_gc);
}

static __attribute__((noinline)) void push_owning(lua_State *L, struct message *m)
{
	struct message_handle *h = handle_new_owning(L, HANDLE_MESSAGE, sizeof(*h));

	*h = (struct message_handle){m->from, m->payload, m, m->topic, m->topic_len};
}

/* Takes `m`. */
void process_push_message(lua_State *L, struct message *m)
{
	size_t bytes = m->payload ? packed_inline_bytes(m->payload, MESSAGE_HERE_MAX) : 0;
	struct message_handle *h;

	if (m->payload && bytes == 0) {
		push_owning(L, m);
		return;
	}
	h = handle_new_plain(L, HANDLE_MESSAGE, sizeof(*h) + bytes + m->topic_len + 1, 0);
	*h = (struct message_handle){.from = m->from, .topic = h->here + bytes, .topic_len = m->topic_len};
	if (m->payload)
		h->payload = packed_inline(h->here, m->payload);
	memcpy(h->here + bytes, m->topic, (size_t)m->topic_len + 1);
	message_free(m);
}

/* What listen() gives: nil, the value, or an array of values. */
void process_push_values(lua_State *L, const struct message *m)
{
	unsigned n = packed_count(m->payload);

	if (n <= 1) {
		packed_push_at(L, m->payload, 0);
		return;
	}
	lua_createtable(L, (int)n, 0);
	for (unsigned i = 0; i < n; i++) {
		packed_push_at(L, m->payload, i);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void set_string(lua_State *L, const char *key, const char *s)
{
	lua_pushstring(L, s);
	lua_setfield(L, -2, key);
}

void process_push_event(lua_State *L, const struct message *m)
{
	char text[PID_TEXT_MAX];

	lua_createtable(L, 0, 4);
	set_string(L, "from", pid_format(m->from, text));
	lua_pushinteger(L, m->at_seconds);
	lua_setfield(L, -2, "at");
	if (m->type == MESSAGE_CANCEL) {
		set_string(L, "kind", "pid.cancel");
		packed_push_at(L, m->payload, 0);
		lua_setfield(L, -2, "reason");
		return;
	}
	set_string(L, "kind", m->type == MESSAGE_EXIT ? "pid.exit" : "pid.link.down");
	lua_createtable(L, 0, 2);
	packed_push_at(L, m->payload, 0);
	lua_setfield(L, -2, "value");
	if (m->failure) {
		push_failure(L, m->failure);
		lua_setfield(L, -2, "error");
	}
	lua_setfield(L, -2, "result");
}
