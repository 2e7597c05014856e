/*
 * tag_marks.c - an array of positions in the log.  A failed purge stays among
 * them: that only makes an object go that need not.
 */
#include <stdlib.h>
#include <string.h>

#include "tag_marks.h"

enum { ROOM_MIN = 64 };

static struct {
	struct tag_mark {
		uint64_t seq;
		uint64_t tags; /* purged up to it, since the beginning */
	} *mark;
	size_t from, to, room; /* those from..to are remembered */
	uint64_t forgotten;    /* tags purged before them */
} marks;

static bool
make_room(void)
{
	size_t n = marks.to - marks.from, room = 2 * n;
	void *p;

	if (marks.to < marks.room)
		return true;
	if (n > 0)
		memmove(marks.mark, marks.mark + marks.from,
		    n * sizeof *marks.mark);
	marks.from = 0;
	marks.to = n;
	if (n <= marks.room / 2 && marks.room > 0)
		return true;
	if (room < ROOM_MIN)
		room = ROOM_MIN;
	p = realloc(marks.mark, room * sizeof *marks.mark);
	if (p == NULL)
		return marks.to < marks.room;
	marks.mark = p;
	marks.room = room;
	return true;
}

bool
tag_marks_add(unsigned n, uint64_t seq)
{
	uint64_t before;

	if (!make_room())
		return false;
	before = marks.to > marks.from ? marks.mark[marks.to - 1].tags :
	    marks.forgotten;
	marks.mark[marks.to++] = (struct tag_mark){seq, before + n};
	return true;
}

/* The first that is newer */
static size_t
first_after(uint64_t upto)
{
	size_t a = marks.from, b = marks.to;

	while (a < b) {
		size_t middle = a + (b - a) / 2;

		if (marks.mark[middle].seq <= upto)
			a = middle + 1;
		else
			b = middle;
	}
	return a;
}

uint64_t
tag_marks_newest(uint64_t upto)
{
	size_t after = first_after(upto);

	return after > marks.from ? marks.mark[after - 1].seq : 0;
}

bool
tag_marks_forget(uint64_t upto)
{
	size_t after = first_after(upto);

	if (after == marks.from)
		return false;
	marks.forgotten = marks.mark[after - 1].tags;
	marks.from = after;
	return true;
}

uint64_t
tag_marks_surplus(uint64_t max)
{
	uint64_t before = marks.forgotten;
	size_t i = marks.from;

	if (marks.from == marks.to ||
	    marks.mark[marks.to - 1].tags - before <= max)
		return 0;
	/* half of them, so that it is not for each further one */
	while (i < marks.to - 1 && marks.mark[i].tags - before < max / 2)
		i++;
	return marks.mark[i].seq;
}

void
tag_marks_free(void)
{
	free(marks.mark);
	memset(&marks, 0, sizeof marks);
}
