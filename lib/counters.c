/*
 * counters.c - counters in shared memory.
 *
 * The file: one page with struct header, then the blocks.  The header has a
 * hash over the table's names, so that a tool of another build says so rather
 * than show numbers under wrong names.
 */
#include "counters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "CopalCnt"

enum {
	VERSION = 1,
	HEADER = 4096,
	BLOCKS_MAX = 1024,
	PATH_LEN = 4096,
};

struct header {
	char magic[8];
	uint32_t version;
	uint32_t blocks;
	uint32_t counters;
	uint32_t block_size;
	uint64_t names; /* hash */
};

struct counters_map {
	struct header *head;
	struct counters *block;
	unsigned blocks;
	char path[PATH_LEN];
	dev_t dev;
	ino_t ino;
};

const struct counter_info counter_info[CNT_MAX] = {
#define KIND_COUNT 'c'
#define KIND_GAUGE 'g'
#define COUNTER(id, name, kind, help) {name, KIND_##kind, help},
#include "tbl/counters.h"
#undef COUNTER
};

struct counters counters_nowhere;
__thread struct counters *counters_mine = &counters_nowhere;
struct counters *counters_shared = &counters_nowhere;

/* FNV-1a */
static uint64_t
names_hash(void)
{
	uint64_t h = 14695981039346656037u;

	for (unsigned i = 0; i < CNT_MAX; i++)
		for (const char *p = counter_info[i].name;; p++) {
			h = (h ^ (uint8_t)*p) * 1099511628211u;
			if (*p == '\0')
				break;
		}
	return h;
}

static size_t
map_len(unsigned blocks)
{
	return HEADER + blocks * sizeof(struct counters);
}

static bool
is_ours(const struct header *h, off_t file_len)
{
	return memcmp(h->magic, MAGIC, sizeof h->magic) == 0 &&
	    h->version == VERSION && h->counters == CNT_MAX &&
	    h->block_size == sizeof(struct counters) &&
	    h->names == names_hash() && h->blocks >= 1 &&
	    h->blocks <= BLOCKS_MAX && file_len == (off_t)map_len(h->blocks);
}

/* Maps an existing file; false with errno. */
static bool
map_file(struct counters_map *m, bool writable)
{
	int fd = open(m->path,
	    (writable ? O_RDWR | O_NOFOLLOW : O_RDONLY) | O_CLOEXEC);
	struct header h;
	struct stat st;
	void *p = MAP_FAILED;
	int e;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0) {
		errno = EPROTO;
		if (pread(fd, &h, sizeof h, 0) == (ssize_t)sizeof h &&
		    is_ours(&h, st.st_size))
			p = mmap(NULL, st.st_size,
			    writable ? PROT_READ | PROT_WRITE : PROT_READ,
			    MAP_SHARED, fd, 0);
	}
	e = errno;
	close(fd);
	errno = e;
	if (p == MAP_FAILED)
		return false;
	m->head = p;
	m->block = (struct counters *)((char *)p + HEADER);
	m->blocks = h.blocks;
	m->dev = st.st_dev;
	m->ino = st.st_ino;
	return true;
}

static bool
map_existing(struct counters_map *m, unsigned blocks)
{
	if (!map_file(m, true))
		return false;
	if (m->blocks == blocks)
		return true;
	munmap(m->head, map_len(m->blocks));
	return false;
}

/* Written under another name, then renamed: readers see all or nothing. */
static bool
make_file(const char *path, unsigned blocks)
{
	struct header h = {
	    .magic = MAGIC,
	    .version = VERSION,
	    .blocks = blocks,
	    .counters = CNT_MAX,
	    .block_size = sizeof(struct counters),
	    .names = names_hash(),
	};
	char temp[PATH_LEN + 8];
	int fd, e;

	snprintf(temp, sizeof temp, "%s.new", path);
	(void)unlink(temp);
	fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return false;
	e = posix_fallocate(fd, 0, map_len(blocks));
	if (e == 0 && pwrite(fd, &h, sizeof h, 0) != (ssize_t)sizeof h)
		e = errno;
	close(fd);
	if (e == 0 && rename(temp, path) != 0)
		e = errno;
	if (e != 0)
		(void)unlink(temp);
	errno = e;
	return e == 0;
}

/* With m->path = <dir>/log/counters; NULL with errno. */
static struct counters_map *
map_new(const char *dir)
{
	struct counters_map *m = calloc(1, sizeof *m);

	if (m == NULL)
		return NULL;
	if (snprintf(m->path, PATH_LEN, "%s/log/counters", dir) >= PATH_LEN) {
		free(m);
		errno = ENAMETOOLONG;
		return NULL;
	}
	return m;
}

struct counters_map *
counters_create(const char *dir, unsigned blocks)
{
	struct counters_map *m;
	int e;

	if (blocks < 1 || blocks > BLOCKS_MAX) {
		errno = EINVAL;
		return NULL;
	}
	m = map_new(dir);
	if (m == NULL)
		return NULL;
	char *slash = strrchr(m->path, '/');
	*slash = '\0';
	if (mkdir(m->path, 0750) != 0 && errno != EEXIST)
		goto fail;
	*slash = '/';
	if (!map_existing(m, blocks) &&
	    (!make_file(m->path, blocks) || !map_existing(m, blocks)))
		goto fail;
	counters_shared = &m->block[0];
	return m;
fail:
	e = errno;
	free(m);
	errno = e;
	return NULL;
}

struct counters_map *
counters_open(const char *dir)
{
	struct counters_map *m = map_new(dir);
	int e;

	if (m == NULL)
		return NULL;
	if (map_file(m, false))
		return m;
	e = errno;
	free(m);
	errno = e;
	return NULL;
}

bool
counters_is_stale(const struct counters_map *m)
{
	struct stat st;

	return stat(m->path, &st) != 0 || st.st_dev != m->dev ||
	    st.st_ino != m->ino;
}

void
counters_close(struct counters_map **mp)
{
	struct counters_map *m = *mp;
	struct counters *end;

	if (m == NULL)
		return;
	*mp = NULL;
	end = m->block + m->blocks;
	if (counters_mine >= m->block && counters_mine < end)
		counters_mine = &counters_nowhere;
	if (counters_shared == m->block)
		counters_shared = &counters_nowhere;
	munmap(m->head, map_len(m->blocks));
	free(m);
}

void
counters_clear(struct counters_map *m)
{
	for (unsigned b = 0; b < m->blocks; b++)
		for (unsigned i = 0; i < CNT_MAX; i++)
			__atomic_store_n(&m->block[b].v[i], 0,
			    __ATOMIC_RELAXED);
}

void
counters_bind(struct counters_map *m, unsigned block)
{
	counters_mine =
	    block < m->blocks ? &m->block[block] : &counters_nowhere;
}

int64_t
counters_sum(const struct counters_map *m, enum counter id)
{
	int64_t sum = 0;

	for (unsigned b = 0; b < m->blocks; b++)
		sum += __atomic_load_n(&m->block[b].v[id], __ATOMIC_RELAXED);
	return sum;
}
