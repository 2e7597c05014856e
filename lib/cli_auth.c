/*
 * cli_auth.c - the proof that a client knows the secret: see cli_auth.h.
 */
#include <sys/random.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "cli_auth.h"

bool
cli_auth_challenge(char out[CLI_CHALLENGE_LEN + 1])
{
	unsigned char random[CLI_CHALLENGE_LEN - 1];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return false;
	for (size_t i = 0; i < sizeof(random); i++)
		out[i] = (char)('a' + random[i] % 26);
	out[CLI_CHALLENGE_LEN - 1] = '\n';
	out[CLI_CHALLENGE_LEN] = '\0';
	return true;
}

bool
cli_auth_response(
    const char *challenge, struct str secret, char out[CLI_RESPONSE_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned md_len = 0;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) &&
	     EVP_DigestUpdate(ctx, challenge, CLI_CHALLENGE_LEN) &&
	     EVP_DigestUpdate(ctx, secret.p, secret.len) &&
	     EVP_DigestUpdate(ctx, challenge, CLI_CHALLENGE_LEN) &&
	     EVP_DigestFinal_ex(ctx, md, &md_len) &&
	     md_len * 2 == CLI_RESPONSE_LEN;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return false;
	for (unsigned i = 0; i < md_len; i++) {
		out[2 * i] = hex[md[i] >> 4];
		out[2 * i + 1] = hex[md[i] & 15];
	}
	out[CLI_RESPONSE_LEN] = '\0';
	return true;
}

bool
cli_auth_is_equal(const char *a, const char *b)
{
	char lower[CLI_RESPONSE_LEN];

	if (strlen(a) != CLI_RESPONSE_LEN || strlen(b) != CLI_RESPONSE_LEN)
		return false;
	for (unsigned i = 0; i < CLI_RESPONSE_LEN; i++)
		lower[i] =
		    a[i] >= 'A' && a[i] <= 'F' ? (char)(a[i] + 32) : a[i];
	return CRYPTO_memcmp(lower, b, CLI_RESPONSE_LEN) == 0;
}

struct str
cli_auth_read(const char *path, char buf[CLI_SECRET_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), e;
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return STR_NULL;
	while (len < CLI_SECRET_MAX &&
	       (n = read(fd, buf + len, CLI_SECRET_MAX - len)) != 0) {
		if (n > 0) {
			len += (size_t)n;
		} else if (errno != EINTR) {
			e = errno;
			close(fd);
			errno = e;
			return STR_NULL;
		}
	}
	close(fd);
	if (len == 0) {
		errno = EINVAL;
		return STR_NULL;
	}
	return str_of(buf, len);
}
