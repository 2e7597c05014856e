/*
 * packing_bench.c - a site's worth of text: bytes on disk with and without
 * packing, and what each coding makes of it, at what cost.
 *
 *      packing_bench [objects]
 *
 * The text is made here, the same every time: HTML, CSS, JavaScript and JSON of
 * sizes as on the web, with a vocabulary of its own by Zipf's law and parts
 * that all pages have.  Ratios of real sites are a little better or worse;
 * those between the codings hold.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "codec.h"
#include "store.h"

enum { WORDS = 6000, LEN_MAX = 400000, STORE_SIZE = 512 << 20 };

static char word[WORDS][16];
static uint64_t state = 1;

static uint32_t
next(void)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(state >> 33);
}

static double
uniform(void)
{
	return (next() + 1.0) / 2147483649.0;
}

static void
make_words(void)
{
	static const char *part[] = {"ka", "re", "tion", "al", "mo", "ent",
	    "si", "ver", "ta", "ing", "pro", "li", "con", "es", "du", "na"};

	for (int i = 0; i < WORDS; i++)
		for (uint32_t n = 1 + next() % 3; n > 0; n--)
			strcat(word[i], part[next() % 16]);
}

/* Zipf's law, near enough */
static const char *
a_word(void)
{
	return word[(int)(pow(WORDS, uniform())) % WORDS];
}

/* Lognormal, as bodies of text are: half of them below 6 KiB */
static uint32_t
a_size(void)
{
	double n = sqrt(-2 * log(uniform())) * cos(6.2831853 * uniform());
	double size = exp(8.7 + 1.2 * n);

	return size < 600 ? 600 : size > LEN_MAX - 2000 ? LEN_MAX - 2000 :
	    (uint32_t)size;
}

static size_t
sentence(char *p, int words)
{
	char *at = p;

	while (words-- > 0)
		at += sprintf(at, "%s ", a_word());
	return (size_t)(at - p);
}

/* One more element of a page, a stylesheet, a script, data */
static size_t
element(int kind, char *p)
{
	char *at = p;

	switch (kind) {
	case 0:
		at += sprintf(at, "<p class=\"%s\">", a_word());
		at += sentence(at, 12 + (int)(next() % 40));
		return (size_t)(at + sprintf(at, "<a href=\"/%s/%u\">%s</a>"
		    "</p>\n", a_word(), next() % 100000, a_word()) - p);
	case 1:
		return (size_t)sprintf(p, ".%s-%s > .%s { margin: %upx; "
		    "color: #%06x; display: flex; }\n", a_word(), a_word(),
		    a_word(), next() % 40, next() % 0xffffff);
	case 2:
		return (size_t)sprintf(p, "function %s%s(e,t){var n=this.%s;"
		    "return n.%s(e,function(r){t.push(r.%s||%u)})}\n",
		    a_word(), a_word(), a_word(), a_word(), a_word(),
		    next() % 1000);
	default:
		return (size_t)sprintf(p, "{\"id\": %u, \"name\": \"%s %s\", "
		    "\"price\": %u.%02u, \"tags\": [\"%s\", \"%s\"]},\n",
		    next() % 1000000, a_word(), a_word(), next() % 500,
		    next() % 100, a_word(), a_word());
	}
}

static uint32_t
make_text(char *p)
{
	static const char head[] = "<!DOCTYPE html>\n<html lang=\"en\"><head>"
	    "<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width="
	    "device-width\"><link rel=\"stylesheet\" href=\"/css/site.css\">"
	    "<script src=\"/js/site.js\" defer></script></head><body>"
	    "<nav class=\"top\"><ul><li><a href=\"/\">Home</a></li><li>"
	    "<a href=\"/about\">About</a></li></ul></nav><main>\n";
	uint32_t pick = next() % 10, want = a_size();
	int kind = pick < 5 ? 0 : pick < 6 ? 1 : pick < 8 ? 2 : 3;
	size_t len = 0;

	if (kind == 0)
		len = (size_t)sprintf(p, "%s", head);
	while (len < want)
		len += element(kind, p + len);
	return (uint32_t)len;
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- on disk ------------------------------------------------------------- */

static void
freed(void *priv, uint64_t seq)
{
	(void)seq;
	free(priv);
}

static bool
put(struct store *st, uint64_t no, char *body, uint32_t len, bool pack)
{
	struct store_meta m = {.key = STR("www.example.org/"),
	    .head = STR("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"),
	    .ttl = 100, .status = 200};
	XXH128_hash_t h = XXH3_128bits(&no, sizeof no);
	struct store_put *p;

	memcpy(m.hash, &h, sizeof m.hash);
	p = store_put_begin(st, len);
	if (p == NULL)
		return false;
	if (pack)
		return store_put_text(&p, &m, body, len, freed, body);
	if (len <= STORE_INLINE_MAX)
		store_put_commit(&p, &m, str_of(body, len), freed, body);
	else if (store_put_piece(p, body, len, NULL, NULL))
		store_put_commit(&p, &m, STR_NULL, freed, body);
	return p == NULL;
}

static void
on_disk(unsigned n, bool pack)
{
	char dir[] = "/tmp/packing_bench.XXXXXX", err[STORE_ERR_LEN];
	char command[100], *text = malloc(LEN_MAX);
	struct store_config cfg = {.name = "bench", .size = STORE_SIZE};
	struct store_stats s;
	struct store *st;
	uint64_t bytes = 0;

	if (mkdtemp(dir) == NULL || text == NULL)
		exit(1);
	cfg.dir = dir;
	st = store_open(&cfg, err);
	if (st == NULL) {
		fprintf(stderr, "%s\n", err);
		exit(1);
	}
	state = 7;
	for (unsigned i = 0; i < n; i++) {
		uint32_t len = make_text(text);
		char *body = malloc(len);

		if (body == NULL)
			exit(1);
		memcpy(body, text, len);
		bytes += len;
		if (!put(st, i, body, len, pack))
			exit(1);
		/* a dictionary comes beside, once there are enough */
		if (i % 256 == 255)
			store_sync(st);
	}
	store_sync(st);
	store_stats(st, &s);
	printf("%-10s %6u objects, %6.1f MB of bodies: %6.1f MB of segments, "
	    "%5.1f MB of catalogue (%.2f of identity), %u dictionaries\n",
	    pack ? "packed" : "as it is", n, (double)bytes / 1e6,
	    (double)s.segment_bytes_used / 1e6,
	    (double)s.catalogue_bytes / 1e6,
	    (double)(s.segment_bytes_used + s.catalogue_bytes) /
	    (double)bytes, s.dicts);
	store_close(&st);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	if (system(command) != 0)
		fprintf(stderr, "%s stays\n", dir);
	free(text);
}

/* --- on the wire --------------------------------------------------------- */

static size_t
run(enum codec_kind kind, int level, const char *in, size_t len, char *out,
    size_t room)
{
	struct codec_limits l = {level, 8, 0, len};
	struct codec *c = codec_new(kind, &l);
	char *to = out;

	if (c == NULL || codec_run(c, &in, &len, &to, &room, true) !=
	    CODEC_END)
		exit(1);
	codec_free(&c);
	return (size_t)(to - out);
}

static void
coding(const char *name, enum codec_kind pack, enum codec_kind unpack,
    int level, unsigned n)
{
	char *text = malloc(LEN_MAX), *out = malloc(LEN_MAX),
	    *back = malloc(LEN_MAX);
	double packing = 0, unpacking = 0, t;
	uint64_t bytes = 0, packed = 0;

	state = 7;
	for (unsigned i = 0; i < n; i++) {
		uint32_t len = make_text(text);
		size_t m;

		t = now();
		m = run(pack, level, text, len, out, LEN_MAX);
		packing += now() - t;
		t = now();
		if (run(unpack, 0, out, m, back, LEN_MAX) != len)
			exit(1);
		unpacking += now() - t;
		bytes += len;
		packed += m;
	}
	printf("%-6s %2d  %.3f of identity  packed in %8.1f us, unpacked in "
	    "%6.1f us\n", name, level, (double)packed / (double)bytes,
	    packing / n * 1e6, unpacking / n * 1e6);
	free(text);
	free(out);
	free(back);
}

int
main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 6000, few = n / 20;

	make_words();
	on_disk(n, false);
	on_disk(n, true);
	printf("a body, in the middle of %u:\n", few);
	coding("gzip", CODEC_GZIP, CODEC_GUNZIP, 1, few);
	coding("gzip", CODEC_GZIP, CODEC_GUNZIP, 6, few);
	coding("gzip", CODEC_GZIP, CODEC_GUNZIP, 9, few);
	coding("br", CODEC_BR, CODEC_UNBR, 1, few);
	coding("br", CODEC_BR, CODEC_UNBR, 4, few);
	coding("br", CODEC_BR, CODEC_UNBR, 9, few);
	coding("br", CODEC_BR, CODEC_UNBR, 11, few);
	coding("zstd", CODEC_ZSTD, CODEC_UNZSTD, 1, few);
	coding("zstd", CODEC_ZSTD, CODEC_UNZSTD, 3, few);
	coding("zstd", CODEC_ZSTD, CODEC_UNZSTD, 15, few);
	coding("zstd", CODEC_ZSTD, CODEC_UNZSTD, 19, few);
	return 0;
}
