/*
 * A stand-in for bhyve(8): it makes the calls of libvmmapi in bhyve's order, runs one thread a
 * vCPU, and tells the test of every exit that reaches it. The test talks to it over standard input
 * and output, in records: a letter, two numbers of 8 bytes, and as many bytes as the second says.
 *
 *   E vcpu n exit   this exit                           answer: E, 0 if bhyve saw nothing of it,
 *                                                        else 1 and the exit as bhyve saw it
 *   X vcpu errno    vm_run fails                        answer: X, 1
 *   M size limit    RAM comes                           answer: M
 *   D gpa n         a segment of device memory comes    answer: D
 *   S               the sandbox                         answer: S
 *   U               no sandbox: a bhyve without it      answer: U
 *   N vcpu n exit   the exit E's n times, for counting  answer: N
 *   T gpa           who touches this page is held       answer: T
 *   H vcpu n exit   an exit in which it is held         answer: H, once it is
 *   R vcpu end      the held one goes on, or its        answer: R, once it is in vm_run or gone
 *                   thread ends where it stands
 *
 * usage: bhyve NAME VCPUS
 */
#define _GNU_SOURCE
#include "vmm_abi.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct vmctx *ctx;
static int vcpus;

/* What a vCPU's thread saw last. */
struct seen {
	pthread_t thread;
	struct vcpu *vcpu;
	uint64_t exits;
	int failed;
	/* What follows the exit must stay as it is. */
	struct { struct vm_exit exit; uint64_t canary; } got;
};

static struct seen seen[STANDIN_VCPUS];

static void need(int good, const char *what)
{
	if (!good) {
		fprintf(stderr, "stand-in bhyve: %s\n", what);
		_exit(4);
	}
}

/* bhyve's vm_loop. */
static void *loop(void *argument)
{
	struct seen *me = argument;
	char name[16];

	/* As bhyve names it. */
	snprintf(name, sizeof(name), "vcpu %d", (int)(me - seen));
	pthread_setname_np(pthread_self(), name);
	for (;;) {
		struct vm_run run = { .vm_exit = &me->got.exit };
		int failed = vm_run(me->vcpu, &run);

		need(me->got.canary == 0x5ca1ab1e, "something was written behind the exit");
		need(run.vm_exit == &me->got.exit && run.cpuset == NULL, "vm_run's argument changed");
		__atomic_add_fetch(&me->exits, 1, __ATOMIC_SEQ_CST);
		if (failed) {
			__atomic_store_n(&me->failed, errno, __ATOMIC_SEQ_CST);
			return NULL;
		}
	}
}

static void get(void *to, size_t len)
{
	for (char *at = to; len > 0;) {
		ssize_t n = read(0, at, len);

		if (n == 0)
			exit(0);	/* the test is over: bhyve ends as it does when a VM ends */
		need(n > 0, "reading");
		at += n;
		len -= n;
	}
}

static void put(const void *from, size_t len)
{
	for (const char *at = from; len > 0;) {
		ssize_t n = write(1, at, len);

		need(n > 0, "writing");
		at += n;
		len -= n;
	}
}

static void answer(char letter, uint64_t number, const void *bytes, uint64_t len)
{
	put(&letter, 1);
	put(&number, 8);
	put(&len, 8);
	put(bytes, len);
}

static void start(void)
{
	for (int i = 0; i < vcpus; i++) {
		seen[i].got.canary = 0x5ca1ab1e;
		need(pthread_create(&seen[i].thread, NULL, loop, &seen[i]) == 0, "a thread");
	}
}

/* A page that the next vCPU to touch it is held at, in the middle of whatever it does. */
static struct {
	char *page;
	sem_t held, decided;
	int end;
} trap;

#define PAGE 4096

static void touched(int number, siginfo_t *info, void *context)
{
	char *at = info->si_addr;

	(void)context;
	if (trap.page == NULL || at < trap.page || at >= trap.page + PAGE) {
		signal(number, SIG_DFL);
		return;
	}
	sem_post(&trap.held);
	while (sem_wait(&trap.decided))
		;
	/* The thread alone, without a word to anybody. */
	if (trap.end)
		syscall(SYS_exit, 0);
}

static void set_trap(uint64_t gpa)
{
	struct sigaction action = { .sa_sigaction = touched, .sa_flags = SA_SIGINFO };

	trap.page = vm_map_gpa(ctx, gpa, PAGE);
	need(trap.page != NULL, "a trap outside RAM");
	need(sem_init(&trap.held, 0, 0) == 0 && sem_init(&trap.decided, 0, 0) == 0, "semaphores");
	need(sigaction(SIGSEGV, &action, NULL) == 0, "sigaction");
	need(mprotect(trap.page, PAGE, PROT_NONE) == 0, "mprotect");
}

static void release(uint64_t vcpu, int end)
{
	need(mprotect(trap.page, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
	trap.end = end;
	sem_post(&trap.decided);
	if (end)
		pthread_join(seen[vcpu].thread, NULL);
	else
		standin_settle(ctx, vcpu);
}

/* An exit, and whether bhyve's loop saw it. */
static void one_exit(uint64_t vcpu, const struct vm_exit *exit)
{
	struct seen *s = &seen[vcpu];
	uint64_t before = __atomic_load_n(&s->exits, __ATOMIC_SEQ_CST);

	standin_exit(ctx, vcpu, exit, 0);
	if (__atomic_load_n(&s->exits, __ATOMIC_SEQ_CST) == before)
		answer('E', 0, NULL, 0);
	else
		answer('E', 1, &s->got.exit, sizeof(s->got.exit));
}

/* The same exit n times. What an answer overwrites of a descriptor is put back before each, as a guest fills it anew. */
static void many_exits(uint64_t vcpu, uint64_t n, const struct vm_exit *exit)
{
	char head[128], *page = vm_map_gpa(ctx, (uint64_t)exit->u.inout.eax << 12, sizeof(head));

	need(page != NULL, "a descriptor outside RAM");
	memcpy(head, page, sizeof(head));
	while (n-- > 0) {
		memcpy(page, head, sizeof(head));
		standin_exit(ctx, vcpu, exit, 0);
	}
}

static void serve(char letter, uint64_t a, uint64_t n)
{
	static char bytes[1 << 20];

	switch (letter) {
	case 'E':
		need(a < (uint64_t)vcpus && n == sizeof(struct vm_exit), "an exit");
		get(bytes, n);
		one_exit(a, (void *)bytes);
		break;
	case 'N':
		need(a < (uint64_t)vcpus, "a vCPU");
		get(bytes, sizeof(struct vm_exit));
		many_exits(a, n, (void *)bytes);
		answer('N', 0, NULL, 0);
		break;
	case 'X':
		need(a < (uint64_t)vcpus, "a vCPU");
		standin_exit(ctx, a, bytes, n);
		if (n == STANDIN_DESTROYED)
			pthread_join(seen[a].thread, NULL);
		answer('X', __atomic_load_n(&seen[a].failed, __ATOMIC_SEQ_CST), NULL, 0);
		break;
	case 'T':
		set_trap(a);
		answer('T', 0, NULL, 0);
		break;
	case 'H':
		need(a < (uint64_t)vcpus && n == sizeof(struct vm_exit), "an exit");
		get(bytes, n);
		standin_post(ctx, a, bytes, 0);
		while (sem_wait(&trap.held))
			;
		answer('H', 0, NULL, 0);
		break;
	case 'R':
		need(a < (uint64_t)vcpus && trap.page != NULL, "a held vCPU");
		release(a, n != 0);
		answer('R', 0, NULL, 0);
		break;
	case 'M':
		vm_set_lowmem_limit(ctx, n);
		need(vm_setup_memory(ctx, a, 1) == 0, "RAM");
		answer('M', 0, NULL, 0);
		break;
	case 'D':
		need(vm_create_devmem(ctx, 2, "framebuffer", n) != NULL, "device memory");
		answer('D', 0, NULL, 0);
		break;
	case 'U':
		start();
		answer('U', 0, NULL, 0);
		break;
	case 'S':
		need(cap_enter() == 0, "the sandbox");
		start();
		answer('S', 0, NULL, 0);
		break;
	default:
		need(0, "an unknown letter");
	}
}

int main(int argc, char **argv)
{
	char letter;
	uint64_t numbers[2];

	need(argc == 3, "usage: bhyve NAME VCPUS");
	vcpus = atoi(argv[2]);
	need(vcpus > 0 && vcpus <= STANDIN_VCPUS, "VCPUS");
	/* glibc looks into /sys for the number of CPUs when it needs a second arena; one is enough. */
	mallopt(M_ARENA_MAX, 1);
	ctx = vm_open(argv[1]);
	need(ctx != NULL, "vm_open");
	need(vm_set_topology(ctx, 1, vcpus, 1, 0) == 0, "vm_set_topology");
	for (int i = 0; i < vcpus; i++)
		seen[i].vcpu = vm_vcpu_open(ctx, i);
	for (;;) {
		get(&letter, 1);
		get(numbers, sizeof(numbers));
		serve(letter, numbers[0], numbers[1]);
	}
}
