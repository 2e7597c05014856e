/*
 * live.c - copalstat's live view.
 *
 *   uptime, hit ratio
 *   name          value     change/s   average/s   average of last 10 s
 *   ...
 *   what the counter under the cursor means
 *
 * Keys: arrows, j k, page up and down, home and end move; z shows or hides
 * counters that are zero; q quits.
 */
#include "live.h"

#include <curses.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

enum {
	HEAD_ROWS = 4,
	FOOT_ROWS = 1,
	TICK_MS = 1000,
};

struct line {
	int64_t value, last;
	double change; /* a second */
	double recent; /* mean of change, weighted over some 10 s */
};

struct view {
	struct line line[CNT_MAX];
	unsigned order[CNT_MAX], n; /* what is shown */
	unsigned top, cursor;       /* indexes into order */
	bool all;                   /* zeros too */
	bool fresh;                 /* no change known yet */
	double last_at;
};

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
sample(struct view *v, const struct counters_map *m)
{
	double at = now(), dt = at - v->last_at;
	double weight = 1 - exp(-dt / 10);

	for (unsigned i = 0; i < CNT_MAX; i++) {
		struct line *l = &v->line[i];

		l->value = counters_sum(m, i);
		/* A counter that went back was zeroed by a new worker. */
		if (!v->fresh && dt > 0 &&
		    (counter_info[i].kind == 'g' || l->value >= l->last)) {
			l->change = (double)(l->value - l->last) / dt;
			l->recent += (l->change - l->recent) * weight;
		} else {
			l->change = l->recent = 0;
		}
		l->last = l->value;
	}
	v->fresh = false;
	v->last_at = at;
}

static void
choose(struct view *v, const bool *shown)
{
	v->n = 0;
	for (unsigned i = 0; i < CNT_MAX; i++)
		if (shown[i] && (v->all || v->line[i].value != 0))
			v->order[v->n++] = i;
	if (v->cursor >= v->n)
		v->cursor = v->n != 0 ? v->n - 1 : 0;
}

static unsigned
rows(void)
{
	return LINES > HEAD_ROWS + FOOT_ROWS ? LINES - HEAD_ROWS - FOOT_ROWS
					     : 1;
}

static void
draw_head(const struct view *v)
{
	int64_t up = v->line[CNT_uptime].value;
	double hit = v->line[CNT_cache_hit].change;
	double miss = v->line[CNT_cache_miss].change;

	mvprintw(0, 0,
	    "Uptime %" PRId64 "+%02d:%02d:%02d   Requests/s %.1f   Hit ratio ",
	    up / 86400, (int)(up / 3600 % 24), (int)(up / 60 % 60),
	    (int)(up % 60), v->line[CNT_client_req].change);
	if (hit + miss > 0)
		printw("%.3f", hit / (hit + miss));
	else
		addch('-');
	mvprintw(1, 0, "q quit   z zeros %s   arrows move",
	    v->all ? "off" : "on");
	attron(A_BOLD);
	mvprintw(3, 0, "%-22s %16s %12s %12s %12s", "NAME", "VALUE", "CHANGE",
	    "AVERAGE", "AVG 10 S");
	attroff(A_BOLD);
}

static void
draw_line(const struct view *v, unsigned at, int row)
{
	unsigned i = v->order[at];
	const struct line *l = &v->line[i];
	int64_t up = v->line[CNT_uptime].value;

	if (at == v->cursor)
		attron(A_REVERSE);
	mvprintw(row, 0, "%-22s %16" PRId64 " %12.2f ", counter_info[i].name,
	    l->value, l->change);
	if (counter_info[i].kind == 'c' && up > 0)
		printw("%12.2f ", (double)l->value / (double)up);
	else
		printw("%12s ", ".  ");
	printw("%12.2f", l->recent);
	attroff(A_REVERSE);
}

static void
draw(struct view *v)
{
	unsigned room = rows();

	if (v->cursor < v->top)
		v->top = v->cursor;
	if (v->cursor >= v->top + room)
		v->top = v->cursor - room + 1;
	erase();
	draw_head(v);
	for (unsigned i = 0; i < room && v->top + i < v->n; i++)
		draw_line(v, v->top + i, HEAD_ROWS + (int)i);
	if (v->n != 0)
		mvprintw(LINES - 1, 0, "%s",
		    counter_info[v->order[v->cursor]].help);
	else
		mvprintw(LINES - 1, 0, "All are zero; z shows them");
	refresh();
}

static void
move_cursor(struct view *v, int by)
{
	int to = (int)v->cursor + by;

	if (to >= (int)v->n)
		to = (int)v->n - 1;
	v->cursor = to > 0 ? to : 0;
}

/* false: quit */
static bool
obey(struct view *v, int key)
{
	switch (key) {
	case 'q':
	case 'Q':
		return false;
	case 'z':
		v->all = !v->all;
		break;
	case KEY_UP:
	case 'k':
		move_cursor(v, -1);
		break;
	case KEY_DOWN:
	case 'j':
		move_cursor(v, 1);
		break;
	case KEY_PPAGE:
	case 'b':
		move_cursor(v, -(int)rows());
		break;
	case KEY_NPAGE:
	case ' ':
		move_cursor(v, (int)rows());
		break;
	case KEY_HOME:
	case 'g':
		v->cursor = 0;
		break;
	case KEY_END:
	case 'G':
		move_cursor(v, CNT_MAX);
		break;
	default:
		break;
	}
	return true;
}

static void
reopen(struct counters_map **m, const char *dir, struct view *v)
{
	struct counters_map *other;

	if (!counters_is_stale(*m) || (other = counters_open(dir)) == NULL)
		return;
	counters_close(m);
	*m = other;
	v->fresh = true;
}

bool
live_view(struct counters_map **m, const char *dir, const bool *shown)
{
	static struct view v;
	SCREEN *screen = newterm(NULL, stdout, stdin);
	bool go_on = true;
	double next;

	if (screen == NULL)
		return false;
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	v.fresh = true;
	sample(&v, *m);
	next = now() + TICK_MS / 1e3;
	while (go_on) {
		double left = next - now();
		int key;

		choose(&v, shown);
		draw(&v);
		timeout(left > 0 ? (int)(left * 1e3) + 1 : 0);
		key = getch();
		if (key != ERR)
			go_on = obey(&v, key);
		if (now() >= next) {
			reopen(m, dir, &v);
			sample(&v, *m);
			next = now() + TICK_MS / 1e3;
		}
	}
	endwin();
	delscreen(screen);
	return true;
}
