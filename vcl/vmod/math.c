/*
 * math.c - module math: the functions of math.h.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

enum {
	ORDER_MAX = 10000,    /* of a Bessel function: steps that it takes */
	PRECISION_DIGITS = 3, /* more are not worth the workspace */
	EXPONENT_MAX = 5000,  /* beyond it any REAL is infinite, or 0 */
};

/* ---- functions that have the same arguments in C and in VCL ---- */

#define ARGS_1 VCL_REAL x
#define ARGS_2 VCL_REAL x, VCL_REAL y

#define WRAP(TYPE, name, args, call)                                          \
	VCL_##TYPE vmod_math_##name(struct vcl_ctx *ctx, args)                \
	{                                                                     \
		(void)ctx;                                                    \
		return call;                                                  \
	}
#define REAL_1(name) WRAP(REAL, name, ARGS_1, name(x))
#define REAL_2(name) WRAP(REAL, name, ARGS_2, name(x, y))
/* those that ask are macros, which give any int that is not 0 */
#define BOOL_1(name) WRAP(INT, name, ARGS_1, name(x) != 0)
#define BOOL_2(name) WRAP(INT, name, ARGS_2, name(x, y) != 0)

BOOL_1(isfinite)
BOOL_1(isnan)
BOOL_1(isnormal)
BOOL_1(signbit)
BOOL_2(isgreater)
BOOL_2(isgreaterequal)
BOOL_2(isless)
BOOL_2(islessequal)
BOOL_2(islessgreater)
BOOL_2(isunordered)
WRAP(INT, fpclassify, ARGS_1, fpclassify(x))
WRAP(INT, isinf, ARGS_1, isinf(x) ? (x > 0 ? 1 : -1) : 0)
WRAP(INT, ilogb, ARGS_1, ilogb(x))

REAL_1(acos)
REAL_1(acosh)
REAL_1(asin)
REAL_1(asinh)
REAL_1(atan)
REAL_1(atanh)
REAL_1(cbrt)
REAL_1(ceil)
REAL_1(cos)
REAL_1(cosh)
REAL_1(erf)
REAL_1(erfc)
REAL_1(exp)
REAL_1(exp2)
REAL_1(expm1)
REAL_1(fabs)
REAL_1(floor)
REAL_1(j0)
REAL_1(j1)
REAL_1(log)
REAL_1(log10)
REAL_1(log1p)
REAL_1(log2)
REAL_1(logb)
REAL_1(nearbyint)
REAL_1(rint)
REAL_1(round)
REAL_1(sin)
REAL_1(sinh)
REAL_1(sqrt)
REAL_1(tan)
REAL_1(tanh)
REAL_1(tgamma)
REAL_1(trunc)
REAL_1(y0)
REAL_1(y1)
REAL_2(atan2)
REAL_2(copysign)
REAL_2(fdim)
REAL_2(fmax)
REAL_2(fmin)
REAL_2(fmod)
REAL_2(hypot)
REAL_2(nextafter)
REAL_2(pow)
REAL_2(remainder)

/* ---- the others ---- */

VCL_REAL
vmod_math_fma(struct vcl_ctx *ctx, VCL_REAL x, VCL_REAL y, VCL_REAL z)
{
	(void)ctx;
	return fma(x, y, z);
}

/* lgamma() has a global variable for the sign. */
VCL_REAL
vmod_math_lgamma(struct vcl_ctx *ctx, VCL_REAL x)
{
	int sign;

	(void)ctx;
	return lgamma_r(x, &sign);
}

VCL_REAL
vmod_math_nan(struct vcl_ctx *ctx, VCL_STRING tag)
{
	const char *z = vrt_copy(ctx, tag).p;

	return nan(z != NULL ? z : "");
}

VCL_REAL
vmod_math_ldexp(struct vcl_ctx *ctx, VCL_REAL x, VCL_INT e)
{
	(void)ctx;
	if (e > EXPONENT_MAX || e < -EXPONENT_MAX)
		e = e < 0 ? -EXPONENT_MAX : EXPONENT_MAX;
	return ldexp(x, (int)e);
}

VCL_REAL
vmod_math_scalbn(struct vcl_ctx *ctx, VCL_REAL x, VCL_INT e)
{
	return vmod_math_ldexp(ctx, x, e);
}

VCL_REAL
vmod_math_scalbln(struct vcl_ctx *ctx, VCL_REAL x, VCL_INT e)
{
	return vmod_math_ldexp(ctx, x, e);
}

static bool
order_is_modest(struct vcl_ctx *ctx, const char *name, VCL_INT order)
{
	if (order >= -ORDER_MAX && order <= ORDER_MAX)
		return true;
	vrt_failf(ctx, "math.%s(): order %lld is beyond %d", name,
	    (long long)order, ORDER_MAX);
	return false;
}

VCL_REAL
vmod_math_jn(struct vcl_ctx *ctx, VCL_INT order, VCL_REAL y)
{
	return order_is_modest(ctx, "jn", order) ? jn((int)order, y) : 0;
}

VCL_REAL
vmod_math_yn(struct vcl_ctx *ctx, VCL_INT order, VCL_REAL x)
{
	return order_is_modest(ctx, "yn", order) ? yn((int)order, x) : 0;
}

static VCL_INT
to_int(struct vcl_ctx *ctx, const char *name, double whole)
{
	if (whole >= -0x1p63 && whole < 0x1p63)
		return (VCL_INT)whole;
	vrt_failf(ctx, "math.%s(): %g is no INT", name, whole);
	return 0;
}

VCL_INT
vmod_math_lrint(struct vcl_ctx *ctx, VCL_REAL x)
{
	return to_int(ctx, "lrint", rint(x));
}

VCL_INT
vmod_math_lround(struct vcl_ctx *ctx, VCL_REAL x)
{
	return to_int(ctx, "lround", round(x));
}

VCL_BOOL
vmod_math_approx(struct vcl_ctx *ctx, VCL_REAL a, VCL_REAL b, VCL_REAL max,
    VCL_REAL max_relative)
{
	double difference = fabs(a - b);

	(void)ctx;
	if (max == 0)
		max = 4 * DBL_EPSILON;
	if (max_relative == 0)
		max_relative = DBL_EPSILON;
	return a == b || difference <= max || (isfinite(difference) &&
	    difference <= max_relative * fmax(fabs(a), fabs(b)));
}

/* "%.3f": strfromd(3) ends the process over any other format. */
static bool
is_format(struct str s)
{
	size_t i = 0, digits;

	if (s.len == 0 || s.p[i++] != '%')
		return false;
	if (i < s.len && s.p[i] == '.') {
		for (digits = ++i; i < s.len && s.p[i] >= '0' && s.p[i] <= '9';)
			i++;
		if (i - digits > PRECISION_DIGITS)
			return false;
	}
	return i + 1 == s.len && memchr("aAeEfFgG", s.p[i], 8) != NULL;
}

VCL_STRING
vmod_math_strfromd(struct vcl_ctx *ctx, VCL_STRING format, VCL_REAL fp)
{
	const char *f;
	char *to;
	int n;

	if (!is_format(format)) {
		vrt_failf(ctx, "math.strfromd(): bad format \"%.*s\"",
		    STR_ARG(format));
		return STR_NULL;
	}
	f = vrt_copy(ctx, format).p;
	if (f == NULL || (n = strfromd(NULL, 0, f, fp)) < 0)
		return STR_NULL;
	to = vrt_alloc(ctx, (size_t)n + 1);
	if (to == NULL)
		return STR_NULL;
	strfromd(to, (size_t)n + 1, f, fp);
	return str_of(to, (size_t)n);
}

/* ---- constants by name ---- */

#define CONSTANT(name) {#name, name}

VCL_REAL
vmod_math_constant(struct vcl_ctx *ctx, VCL_ENUM name)
{
	static const struct {
		const char *name;
		double value;
	} all[] = {
		CONSTANT(DBL_MANT_DIG), CONSTANT(DBL_DIG),
		CONSTANT(DBL_MIN_EXP), CONSTANT(DBL_MIN_10_EXP),
		CONSTANT(DBL_MAX_EXP), CONSTANT(DBL_MAX_10_EXP),
		CONSTANT(DBL_MAX), CONSTANT(DBL_EPSILON), CONSTANT(DBL_MIN),
		CONSTANT(HUGE_VAL), CONSTANT(M_E), CONSTANT(M_LOG2E),
		CONSTANT(M_LOG10E), CONSTANT(M_LN2), CONSTANT(M_LN10),
		CONSTANT(M_PI), CONSTANT(M_PI_2), CONSTANT(M_PI_4),
		CONSTANT(M_1_PI), CONSTANT(M_2_PI), CONSTANT(M_2_SQRTPI),
		CONSTANT(M_SQRT2), CONSTANT(M_SQRT1_2),
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (strcmp(all[i].name, name) == 0)
			return all[i].value;
	return NAN;
}

VCL_INT
vmod_math_fpclass(struct vcl_ctx *ctx, VCL_ENUM name)
{
	static const struct {
		const char *name;
		int value;
	} all[] = {
		CONSTANT(FP_INFINITE), CONSTANT(FP_NAN), CONSTANT(FP_NORMAL),
		CONSTANT(FP_SUBNORMAL), CONSTANT(FP_ZERO),
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (strcmp(all[i].name, name) == 0)
			return all[i].value;
	return -1;
}
