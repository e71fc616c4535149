/*
 * What a test guest does all day, with results that a test can predict.
 *
 *   workload run            exec, disk, socket and read loops until killed
 *   workload execs N        N times fork + exec of /opt/ht/hello, as uid 1000 gid 1000
 *   workload reads N        N times read(2) of 512 bytes from /dev/zero
 *   workload getppids N     N times getppid(2); prints nanoseconds a call
 *   workload open PATH      open(2) and close(2) PATH once
 *   workload say            has "original" in a buffer, hands it to write(2), then prints it
 *   hello, leaf             (by the name it is called) exit at once
 *   victim                  (by the name it is called) calls getppid(2) for ever
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LEAF "/opt/ht/one/two/three/four/five/six/seven/eight/leaf"

static void nap(long milliseconds)
{
	struct timespec ts = { 0, milliseconds * 1000000L };

	nanosleep(&ts, NULL);
}

static void die(const char *what)
{
	fprintf(stderr, "workload: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Runs a program as a user and waits for its end. */
static void execute(const char *path, uid_t uid, gid_t gid)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		char *const arguments[] = { (char *)path, NULL };
		char *const environment[] = { NULL };

		if (setgid(gid) != 0 || setuid(uid) != 0)
			_exit(126);
		execve(path, arguments, environment);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static void exec_loop(void)
{
	for (;;) {
		execute("/opt/ht/hello", 1000, 1000);
		execute(LEAF, 33, 33);
		execute("/opt/ht/missing", 0, 0);
		nap(150);
	}
}

static void disk_loop(void)
{
	static char block[65536];
	int fd = open("/mnt/data/log", O_CREAT | O_RDWR | O_TRUNC, 0644);

	if (fd < 0)
		die("/mnt/data/log");
	for (unsigned int i = 0;; i++) {
		memset(block, (int)i, sizeof(block));
		if (pwrite(fd, block, sizeof(block), (off_t)(i % 64) * (off_t)sizeof(block)) < 0)
			die("pwrite");
		fsync(fd);
		nap(60);
	}
}

static void socket_loop(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(8080) };
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int on = 1;
	char word[6];

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 8) != 0)
		die("listen");
	for (;;) {
		int client = socket(AF_INET, SOCK_STREAM, 0);
		int server;

		if (connect(client, (struct sockaddr *)&address, sizeof(address)) != 0)
			die("connect");
		server = accept(listener, NULL, NULL);
		if (write(client, "hello\n", 6) != 6 || read(server, word, 6) != 6)
			die("socket");
		close(client);
		close(server);
		nap(80);
	}
}

static void reads(long count)
{
	char buffer[512];
	int fd = open("/dev/zero", O_RDONLY);

	for (long i = 0; i < count; i++)
		if (read(fd, buffer, sizeof(buffer)) != (ssize_t)sizeof(buffer))
			die("/dev/zero");
	close(fd);
}

static void read_loop(void)
{
	for (;;) {
		reads(20);
		nap(60);
	}
}

static void getppids(long count)
{
	struct timespec from, to;
	double ns;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (long i = 0; i < count; i++)
		syscall(SYS_getppid);
	clock_gettime(CLOCK_MONOTONIC, &to);
	ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
	printf("%.1f\n", ns / (double)count);
}

/* Three kinds of system calls in turn; prints the nanoseconds of one. */
static void calls(long count)
{
	struct timespec from, to;
	char byte = 0;
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
	double ns;

	if (zero < 0 || null < 0)
		die("/dev/zero, /dev/null");
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (long i = 0; i < count; i++)
		if (read(zero, &byte, 1) != 1 || write(null, &byte, 1) != 1 || syscall(SYS_getppid) < 0)
			die("a call");
	clock_gettime(CLOCK_MONOTONIC, &to);
	ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
	printf("%.1f\n", ns / (3 * (double)count));
}

static void say(void)
{
	static char text[16];
	int fd = open("/dev/null", O_WRONLY);

	strcpy(text, "original");
	if (write(fd, text, 9) != 9)
		die("/dev/null");
	puts(text);
}

static void run(void)
{
	void (*const loops[])(void) = { exec_loop, disk_loop, socket_loop, read_loop };

	for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++)
		if (fork() == 0)
			loops[i]();
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];
	long count = argc > 2 ? atol(argv[2]) : 0;

	if (strcmp(name, "hello") == 0 || strcmp(name, "leaf") == 0)
		return 0;
	if (strcmp(name, "victim") == 0)
		for (;;) {
			syscall(SYS_getppid);
			nap(10);
		}
	if (argc > 1 && strcmp(argv[1], "say") == 0) {
		say();
	} else if (argc > 1 && strcmp(argv[1], "run") == 0) {
		run();
	} else if (argc > 2 && strcmp(argv[1], "execs") == 0) {
		for (long i = 0; i < count; i++)
			execute("/opt/ht/hello", 1000, 1000);
	} else if (argc > 2 && strcmp(argv[1], "reads") == 0) {
		reads(count);
	} else if (argc > 2 && strcmp(argv[1], "getppids") == 0) {
		getppids(count);
	} else if (argc > 2 && strcmp(argv[1], "calls") == 0) {
		calls(count);
	} else if (argc > 2 && strcmp(argv[1], "open") == 0) {
		int fd = open(argv[2], O_RDONLY);

		if (fd < 0)
			die(argv[2]);
		close(fd);
	} else {
		fprintf(stderr, "usage: workload run | execs N | reads N | getppids N | open PATH\n");
		return 2;
	}
	return 0;
}
