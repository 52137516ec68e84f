#include "app/watch_files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "registry/project.h"

enum { DEPTH_MAX = 64, READS_MAX = 64, EVENT_BYTES = 16384 };

static const uint32_t events_wanted = IN_CREATE | IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM |
				      IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;

struct dir {
	int wd;
	char *path;    /* real */
	bool is_tree;  /* definition files in it count; else only files that are named */
	unsigned mark; /* the round in which it was named last */
};

struct watch_files {
	struct loop *loop;
	int fd;
	struct loop_poll *poll;
	struct loop_timer timer;
	watch_files_fn *changed;
	void *arg;
	struct map *by_wd;   /* decimal wd -> struct dir */
	struct map *names;   /* real path -> itself: single files that count */
	struct map *touched; /* real path -> itself */
	struct map *writing; /* the same, of files written to and not closed yet */
	uint64_t first_ns;   /* of the changes not told yet; 0: there are none */
	unsigned round;
	bool any;
	bool lost; /* the kernel has dropped events */
	bool full; /* told that not everything is watched */
};

/* -- paths ---------------------------------------------------------------------------------------------- */

/* The real path of the directory and the name in it; "" names the directory that holds nothing. malloc'd; NULL when there is no such directory. */
static char *place_of(const char *path, char **ret_dir)
{
	char real[PATH_MAX], *copy = xstrdup(path), *slash, *out = NULL;
	size_t len = strlen(copy);

	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	slash = strrchr(copy, '/');
	if (slash)
		*slash = '\0';
	if (realpath(!slash ? "." : slash == copy ? "/" : copy, real)) {
		out = xasprintf("%s/%s", strcmp(real, "/") == 0 ? "" : real, slash ? slash + 1 : copy);
		if (ret_dir)
			*ret_dir = xstrdup(real);
	}
	free(copy);
	return out;
}

static void set_add(struct map *set, const char *path)
{
	if (!map_has(set, path))
		map_set(set, path, set);
}

/* -- directories ---------------------------------------------------------------------------------------- */

static void key_of(int wd, char out[static 16])
{
	snprintf(out, 16, "%d", wd);
}

static void dir_free(void *arg)
{
	struct dir *d = arg;

	if (d)
		free(d->path);
	free(d);
}

static void complain(struct watch_files *w, const char *path, int error)
{
	if (w->full)
		return;
	w->full = true;
	if (error == ENOSPC)
		log_warn(
			"watch", "not everything is watched: raise fs.inotify.max_user_watches", LOG_STR("path", path));
	else
		log_warn("watch", "not everything is watched: too many directories", LOG_STR("path", path));
}

/* NULL when it cannot be watched, because it is gone already or there are too many. */
static struct dir *add_dir(struct watch_files *w, const char *real, bool is_tree)
{
	char key[16];
	struct dir *d;
	int wd;

	if (map_count(w->by_wd) >= WATCH_DIRS_MAX) {
		complain(w, real, 0);
		return NULL;
	}
	wd = inotify_add_watch(w->fd, real, events_wanted);
	if (wd < 0) {
		if (errno == ENOSPC)
			complain(w, real, ENOSPC);
		return NULL;
	}
	key_of(wd, key);
	d = map_get(w->by_wd, key);
	if (!d) {
		d = xcalloc(1, sizeof(*d));
		d->wd = wd;
		map_set(w->by_wd, key, d);
	}
	/* The same directory by another name, when it was moved. */
	free(d->path);
	d->path = xstrdup(real);
	d->is_tree = is_tree || (d->is_tree && d->mark == w->round);
	d->mark = w->round;
	return d;
}

static void add_tree(struct watch_files *w, const char *real, unsigned depth)
{
	struct dirent *item;
	DIR *list;

	if (!add_dir(w, real, true) || depth >= DEPTH_MAX)
		return;
	list = opendir(real);
	while (list && (item = readdir(list))) {
		char *path;
		struct stat st;

		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0 ||
			strcmp(item->d_name, "node_modules") == 0 ||
			(item->d_type != DT_DIR && item->d_type != DT_UNKNOWN))
			continue;
		path = xasprintf("%s/%s", real, item->d_name);
		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
			add_tree(w, path, depth + 1);
		free(path);
	}
	if (list)
		closedir(list);
}

void watch_files_begin(struct watch_files *w)
{
	w->round++;
	w->lost = false;
	map_free(w->names, NULL);
	w->names = map_new();
}

void watch_files_tree(struct watch_files *w, const char *dir)
{
	char real[PATH_MAX];

	/* Whether it is there, too. */
	watch_files_file(w, dir);
	if (realpath(dir, real))
		add_tree(w, real, 0);
}

void watch_files_file(struct watch_files *w, const char *path)
{
	char *dir = NULL, *place = place_of(path, &dir);
	char real[PATH_MAX];

	if (place) {
		add_dir(w, dir, false);
		set_add(w->names, place);
		free(dir);
		if (realpath(path, real) && strcmp(real, place) != 0) {
			dir = NULL;
			free(place);
			place = place_of(real, &dir);
			if (place) {
				add_dir(w, dir, false);
				set_add(w->names, place);
				free(dir);
			}
		}
	}
	free(place);
}

void watch_files_end(struct watch_files *w)
{
	struct map *kept = map_new();
	const char *key;
	void *v;

	for (size_t i = 0; map_next(w->by_wd, &i, &key, &v);) {
		struct dir *d = v;

		if (d->mark == w->round) {
			map_set(kept, key, d);
			continue;
		}
		inotify_rm_watch(w->fd, d->wd);
		dir_free(d);
	}
	map_free(w->by_wd, NULL);
	w->by_wd = kept;
}

size_t watch_files_count(const struct watch_files *w)
{
	return map_count(w->by_wd);
}

/* -- events --------------------------------------------------------------------------------------------- */

static void note(struct watch_files *w)
{
	uint64_t now = loop_clock_ns(), due = now + WATCH_QUIET_MS * 1000000ull;

	if (w->first_ns == 0)
		w->first_ns = now;
	if (due > w->first_ns + WATCH_WAIT_MS * 1000000ull)
		due = w->first_ns + WATCH_WAIT_MS * 1000000ull;
	loop_timer_start_at(&w->timer, due);
}

static void on_directory(struct watch_files *w, const struct dir *d, const struct inotify_event *ev, const char *path)
{
	if (!map_has(w->names, path) && (!d->is_tree || strcmp(ev->name, "node_modules") == 0))
		return;
	/* At once, so that what is written there next is heard of. */
	if (d->is_tree && (ev->mask & (IN_CREATE | IN_MOVED_TO)))
		add_tree(w, path, 0);
	note(w);
}

static void on_file(struct watch_files *w, const struct dir *d, const struct inotify_event *ev, const char *path)
{
	if (!map_has(w->names, path) && !(d->is_tree && (w->any || project_is_definition(ev->name))))
		return;
	set_add(w->touched, path);
	if (ev->mask & IN_MODIFY)
		set_add(w->writing, path);
	else if (!(ev->mask & IN_ATTRIB))
		map_remove(w->writing, path);
	note(w);
}

static void on_event(struct watch_files *w, const struct inotify_event *ev)
{
	char key[16], *path;
	struct dir *d;

	if (ev->mask & IN_Q_OVERFLOW) {
		w->lost = true;
		/* Who closed what is not known any more. */
		map_free(w->writing, NULL);
		w->writing = map_new();
		note(w);
		return;
	}
	key_of(ev->wd, key);
	d = map_get(w->by_wd, key);
	if (!d)
		return;
	if (ev->mask & IN_IGNORED) {
		map_remove(w->by_wd, key);
		dir_free(d);
		return;
	}
	if (ev->mask & (IN_DELETE_SELF | IN_MOVE_SELF)) {
		note(w);
		return;
	}
	if (ev->len == 0)
		return;
	path = xasprintf("%s/%s", strcmp(d->path, "/") == 0 ? "" : d->path, ev->name);
	if (ev->mask & IN_ISDIR)
		on_directory(w, d, ev, path);
	else
		on_file(w, d, ev, path);
	free(path);
}

static void on_readable(void *arg, int events)
{
	struct watch_files *w = arg;
	char bytes[EVENT_BYTES] __attribute__((aligned(__alignof__(struct inotify_event))));

	(void)events;
	for (unsigned i = 0; i < READS_MAX; i++) {
		ssize_t n = read(w->fd, bytes, sizeof(bytes));

		if (n <= 0)
			return;
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *ev = (const void *)(bytes + at);

			on_event(w, ev);
			at += (ssize_t)(sizeof(*ev) + ev->len);
		}
	}
}

static void on_quiet(struct loop_timer *t)
{
	struct watch_files *w = container_of(t, struct watch_files, timer);

	/* What has happened up to now belongs to it, and if there is more it is not quiet. */
	on_readable(w, LOOP_READ);
	if (loop_timer_is_armed(t) && loop_clock_ns() < w->first_ns + WATCH_WAIT_MS * 1000000ull)
		return;
	loop_timer_stop(t);
	if (map_count(w->writing) > 0 && loop_clock_ns() < w->first_ns + WATCH_WRITING_MS * 1000000ull) {
		loop_timer_start_ms(t, WATCH_QUIET_MS);
		return;
	}
	w->first_ns = 0;
	map_free(w->writing, NULL);
	w->writing = map_new();
	w->changed(w->arg);
}

/* -- the watch ------------------------------------------------------------------------------------------ */

int watch_files_new(struct loop *l, watch_files_fn *changed, void *arg, struct watch_files **ret, struct err *e)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct watch_files *w;

	if (fd < 0)
		return err_set_errno(e, ERR_UNAVAILABLE, errno,
			"cannot watch files: no inotify instance (see fs.inotify.max_user_instances)");
	w = xcalloc(1, sizeof(*w));
	w->loop = l;
	w->fd = fd;
	w->changed = changed;
	w->arg = arg;
	w->by_wd = map_new();
	w->names = map_new();
	w->touched = map_new();
	w->writing = map_new();
	w->poll = loop_poll_new(l, fd, LOOP_READ, on_readable, w);
	loop_timer_init(&w->timer, l, on_quiet);
	*ret = w;
	return 0;
}

void watch_files_free(struct watch_files *w)
{
	if (!w)
		return;
	loop_timer_stop(&w->timer);
	loop_poll_free(w->poll);
	close(w->fd);
	map_free(w->by_wd, dir_free);
	map_free(w->names, NULL);
	map_free(w->touched, NULL);
	map_free(w->writing, NULL);
	free(w);
}

void watch_files_any(struct watch_files *w, bool any)
{
	w->any = any;
}

bool watch_files_touched(const struct watch_files *w, const char *path)
{
	char *place = place_of(path, NULL), real[PATH_MAX];
	bool touched = place && map_has(w->touched, place);

	free(place);
	return touched || (realpath(path, real) && map_has(w->touched, real));
}

void watch_files_forget(struct watch_files *w)
{
	map_free(w->touched, NULL);
	w->touched = map_new();
}

void watch_files_again(struct watch_files *w, uint64_t delay_ms)
{
	loop_timer_start_ms(&w->timer, delay_ms);
}
