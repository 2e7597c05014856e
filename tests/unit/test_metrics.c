/*
 * test_metrics.c - the metrics server, in a process of its own.
 */
#include <CUnit/CUnit.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "counters.h"
#include "ops/metrics.h"

static char dir[64];
static struct sockaddr_in addr;
static pid_t child;

static int
setup(void)
{
	socklen_t len = sizeof addr;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(dir, sizeof dir, "/tmp/copal-test-metrics-XXXXXX");
	addr.sin_family = AF_INET;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (mkdtemp(dir) == NULL || fd < 0 ||
	    bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0 ||
	    listen(fd, 32) != 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
		return 1;
	child = fork();
	if (child == 0)
		_exit(metrics_main(fd, dir));
	close(fd);
	return child < 0;
}

static int
teardown(void)
{
	char path[128];

	kill(child, SIGTERM);
	waitpid(child, NULL, 0);
	snprintf(path, sizeof path, "%s/log/counters", dir);
	(void)unlink(path);
	snprintf(path, sizeof path, "%s/log", dir);
	(void)rmdir(path);
	return rmdir(dir);
}

static int
connected(void)
{
	struct timeval limit = {20, 0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	CU_ASSERT_EQUAL_FATAL(
	    connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
	return fd;
}

/* All that the server says to a request, until it closes; static. */
static const char *
answer(const char *request, size_t len)
{
	static char text[64 * 1024];
	int fd = connected();
	size_t n = 0;
	ssize_t got;

	CU_ASSERT_EQUAL(send(fd, request, len, MSG_NOSIGNAL), (ssize_t)len);
	while ((got = recv(fd, text + n, sizeof text - 1 - n, 0)) > 0)
		n += got;
	CU_ASSERT_EQUAL(got, 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

#define ASK(text) answer(text, strlen(text))

static void
test_requests(void)
{
	static char huge[5000];
	struct counters_map *m;
	const char *a;

	/* Before there are counters. */
	a = ASK("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
	CU_ASSERT_TRUE(begins(a, "HTTP/1.1 200 OK\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(a, "\ncopal_up 0\n"));
	m = counters_create(dir, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	COUNT_ADD_SHARED(client_req, 7);
	a = ASK("GET /metrics?x HTTP/1.1\r\nHost: a\r\n\r\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(a, "text/plain; version=0.0.4"));
	CU_ASSERT_PTR_NOT_NULL(strstr(a, "\ncopal_client_req_total 7\n"));
	/* Replaced. */
	counters_close(&m);
	m = counters_create(dir, 2);
	a = ASK("GET /metrics HTTP/1.0\r\n\r\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(a, "\ncopal_client_req_total 0\n"));
	counters_close(&m);

	a = ASK("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
	CU_ASSERT_TRUE(begins(a, "HTTP/1.1 200 OK\r\n"));
	CU_ASSERT_STRING_EQUAL(a + strlen(a) - 4, "\r\n\r\n");
	a = ASK("GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
	CU_ASSERT_TRUE(begins(a, "HTTP/1.1 404 "));
	a = ASK("POST /metrics HTTP/1.1\r\nHost: a\r\n"
		"Content-Length: 3\r\n\r\nabc");
	CU_ASSERT_TRUE(begins(a, "HTTP/1.1 405 "));
	CU_ASSERT_PTR_NOT_NULL(strstr(a, "\r\nAllow: GET, HEAD\r\n"));
	a = ASK("nonsense\r\n\r\n");
	CU_ASSERT_TRUE(begins(a, "HTTP/1.1 400 "));
	memset(huge, 'a', sizeof huge);
	memcpy(huge, "GET /", 5);
	a = answer(huge, sizeof huge);
	CU_ASSERT_TRUE(begins(a, "HTTP/1.1 414 "));
}

/* Clients that say nothing are served out of the way of those that do. */
static void
test_many(void)
{
	int fd[15];
	const char *a;

	for (int i = 0; i < 15; i++)
		fd[i] = connected();
	a = ASK("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
	CU_ASSERT_TRUE(begins(a, "HTTP/1.1 200 OK\r\n"));
	for (int i = 0; i < 15; i++)
		close(fd[i]);
	a = ASK("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
	CU_ASSERT_TRUE(begins(a, "HTTP/1.1 200 OK\r\n"));
}

void suite_metrics(void);

void
suite_metrics(void)
{
	CU_pSuite s = CU_add_suite("metrics", setup, teardown);

	CU_add_test(s, "requests", test_requests);
	CU_add_test(s, "many", test_many);
}
