/*
 * blob.c - module blob: bytes, and their encodings as text.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "encoding.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

enum { QUOTE_MAX = 60 }; /* of a text that is wrong, in messages */

/* in the order of enum encoding */
static const char *const names[ENCODING_N] = {
	"IDENTITY", "BASE64", "BASE64URL", "BASE64URLNOPAD", "BASE64CF", "HEX",
	"URL",
};

static enum encoding
encoding_named(VCL_ENUM name)
{
	unsigned e = 0;

	while (e < ENCODING_URL && strcmp(names[e], name) != 0)
		e++;
	return (enum encoding)e;
}

/* false: a case is asked for where there is none; a failure */
static bool
case_is_right(struct vcl_ctx *ctx, enum encoding e, VCL_ENUM letters)
{
	if (strcmp(letters, "DEFAULT") == 0 || e == ENCODING_HEX ||
	    e == ENCODING_URL)
		return true;
	vrt_failf(ctx, "blob: case=%s is for HEX and URL, not for %s", letters,
	    names[e]);
	return false;
}

static struct str
first(struct str s, VCL_INT length)
{
	if (length > 0 && (uint64_t)length < s.len)
		s.len = (size_t)length;
	return s;
}

static void
fail_decoding(struct vcl_ctx *ctx, enum encoding e, struct str s)
{
	vrt_failf(ctx, "blob: this is not %s: \"%.*s\"%s", names[e],
	    (int)(s.len < QUOTE_MAX ? s.len : QUOTE_MAX), s.p,
	    s.len > QUOTE_MAX ? "..." : "");
}

VCL_BLOB
vmod_blob_decode(struct vcl_ctx *ctx, VCL_ENUM decoding, VCL_INT length,
    VCL_STRING encoded)
{
	enum encoding e = encoding_named(decoding);
	struct str s = first(encoded, length);
	VCL_BLOB b = {0};
	void *p;

	if (s.len == 0)
		return b;
	p = vrt_alloc(ctx, encoding_bytes_max(e, s.len));
	if (p == NULL)
		return b;
	if (encoding_read(e, s, p, &b.len))
		b.p = p;
	else
		fail_decoding(ctx, e, s);
	return b.p != NULL ? b : (VCL_BLOB){0};
}

/* With a NUL behind it; a text ends at a zero byte. */
static VCL_STRING
text_of(enum encoding e, VCL_ENUM letters, VCL_BLOB b, char *p)
{
	size_t len = encoding_write(e, strcmp(letters, "UPPER") == 0, b.p,
	    b.len, p);

	p[len] = '\0';
	return (VCL_STRING){p, e == ENCODING_IDENTITY ? strlen(p) : len};
}

VCL_STRING
vmod_blob_encode(struct vcl_ctx *ctx, VCL_ENUM encoding, VCL_ENUM letters,
    VCL_BLOB b)
{
	enum encoding e = encoding_named(encoding);
	char *p;

	if (!case_is_right(ctx, e, letters) || b.len == 0)
		return VCL_S("");
	p = vrt_alloc(ctx, encoding_text_max(e, b.len) + 1);
	return p != NULL ? text_of(e, letters, b, p) : VCL_S("");
}

VCL_STRING
vmod_blob_transcode(struct vcl_ctx *ctx, VCL_ENUM decoding, VCL_ENUM encoding,
    VCL_ENUM letters, VCL_INT length, VCL_STRING encoded)
{
	VCL_BLOB b = vmod_blob_decode(ctx, decoding, length, encoded);

	return vrt_failed(ctx) ? VCL_S("")
			       : vmod_blob_encode(ctx, encoding, letters, b);
}

VCL_BOOL
vmod_blob_same(struct vcl_ctx *ctx, VCL_BLOB a, VCL_BLOB b)
{
	(void)ctx;
	return a.len == b.len && (a.len == 0 || a.p == b.p);
}

VCL_BOOL
vmod_blob_equal(struct vcl_ctx *ctx, VCL_BLOB a, VCL_BLOB b)
{
	(void)ctx;
	return a.len == b.len && (a.len == 0 || !memcmp(a.p, b.p, a.len));
}

VCL_INT
vmod_blob_length(struct vcl_ctx *ctx, VCL_BLOB b)
{
	(void)ctx;
	return (VCL_INT)b.len;
}

VCL_BLOB
vmod_blob_sub(struct vcl_ctx *ctx, VCL_BLOB b, VCL_BYTES length,
    VCL_BYTES offset)
{
	if (b.len == 0) {
		vrt_failf(ctx, "blob.sub(): the blob is empty");
		return (VCL_BLOB){0};
	}
	if (length < 0 || offset < 0 || (uint64_t)offset > b.len ||
	    (uint64_t)length > b.len - (uint64_t)offset) {
		vrt_failf(ctx, "blob.sub(): a blob of %zu bytes has no %lld "
		    "from %lld on", b.len, (long long)length,
		    (long long)offset);
		return (VCL_BLOB){0};
	}
	return (VCL_BLOB){(const char *)b.p + offset, (size_t)length};
}

/* ---- objects ---- */

enum { CASES = 2 }; /* of hex digits */

struct vmod_blob_blob {
	VCL_BLOB bytes;
	char *_Atomic text[ENCODING_N][CASES]; /* made when it is asked for */
	char mem[];
};

void
vmod_blob_blob__init(struct vcl_ctx *ctx, struct vmod_blob_blob **out,
    const char *name, VCL_ENUM decoding, VCL_STRING encoded)
{
	enum encoding e = encoding_named(decoding);
	struct vmod_blob_blob *o =
	    calloc(1, sizeof *o + encoding_bytes_max(e, encoded.len));

	if (o == NULL) {
		vrt_failf(ctx, "blob %s: out of memory", name);
		return;
	}
	if (!encoding_read(e, encoded, o->mem, &o->bytes.len)) {
		fail_decoding(ctx, e, encoded);
		free(o);
		return;
	}
	o->bytes.p = o->mem;
	*out = o;
}

void
vmod_blob_blob__fini(struct vmod_blob_blob **out)
{
	struct vmod_blob_blob *o = *out;

	*out = NULL;
	for (unsigned e = 0; e < ENCODING_N; e++)
		for (unsigned i = 0; i < CASES; i++)
			free(o->text[e][i]);
	free(o);
}

VCL_BLOB
vmod_blob_blob_get(struct vcl_ctx *ctx, struct vmod_blob_blob *o)
{
	(void)ctx;
	return o->bytes;
}

VCL_STRING
vmod_blob_blob_encode(struct vcl_ctx *ctx, struct vmod_blob_blob *o,
    VCL_ENUM encoding, VCL_ENUM letters)
{
	enum encoding e = encoding_named(encoding);
	char *_Atomic *kept = &o->text[e][strcmp(letters, "UPPER") == 0];
	char *p, *first = NULL;

	if (!case_is_right(ctx, e, letters))
		return VCL_S("");
	p = *kept;
	if (p == NULL) {
		p = malloc(encoding_text_max(e, o->bytes.len) + 1);
		if (p == NULL) {
			vrt_failf(ctx, "blob: out of memory");
			return VCL_S("");
		}
		text_of(e, letters, o->bytes, p);
		/* another core may have been faster: its text stays */
		if (!atomic_compare_exchange_strong(kept, &first, p)) {
			free(p);
			p = first;
		}
	}
	return (VCL_STRING){p, strlen(p)};
}
