/*
 * A stand-in for libvmmapi and for the kernel behind it: exits come from the test instead of a
 * CPU. Memory is laid out in this process as the real library does it: one range of addresses with
 * RAM at its start and, beyond 4 GiB, the rest. cap_enter is a sandbox of seccomp that kills the
 * process if it uses a path or an address, as Capsicum would refuse it.
 */
#define _GNU_SOURCE
#include "vmm_abi.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GB (1ULL << 30)
#define GUARD (4ULL << 20)

struct vcpu {
	struct vmctx *ctx;
	int id;
};

/* One vCPU of the "kernel": at most one exit waits for it. */
struct kernel_vcpu {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int waiting;	/* its thread is in vm_run */
	int pending;	/* an exit is there */
	int error;
	struct vm_exit exit;
};

struct vmctx {
	size_t lowmem_limit, lowmem, highmem;
	char *base;
	int memory;	/* a file that the test has mapped too */
	uint16_t sockets, cores, threads;
	struct kernel_vcpu vcpu[STANDIN_VCPUS];
	char name[];
};

struct vmctx *vm_open(const char *name)
{
	struct vmctx *ctx = calloc(1, sizeof(*ctx) + strlen(name) + 1);

	if (ctx == NULL)
		return NULL;
	ctx->lowmem_limit = 3 * GB;
	strcpy(ctx->name, name);
	ctx->memory = getenv("STANDIN_MEMORY") ? atoi(getenv("STANDIN_MEMORY")) : -1;
	for (int i = 0; i < STANDIN_VCPUS; i++) {
		pthread_mutex_init(&ctx->vcpu[i].lock, NULL);
		pthread_cond_init(&ctx->vcpu[i].changed, NULL);
	}
	return ctx;
}

int vm_set_topology(struct vmctx *ctx, uint16_t sockets, uint16_t cores, uint16_t threads,
    uint16_t maxcpus)
{
	(void)maxcpus;
	ctx->sockets = sockets;
	ctx->cores = cores;
	ctx->threads = threads;
	return 0;
}

int vm_get_topology(struct vmctx *ctx, uint16_t *sockets, uint16_t *cores, uint16_t *threads,
    uint16_t *maxcpus)
{
	*sockets = ctx->sockets;
	*cores = ctx->cores;
	*threads = ctx->threads;
	*maxcpus = STANDIN_VCPUS;
	return 0;
}

void vm_set_lowmem_limit(struct vmctx *ctx, uint32_t limit)
{
	ctx->lowmem_limit = limit;
}

static int back(struct vmctx *ctx, char *at, size_t len, size_t offset)
{
	return mmap(at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, ctx->memory,
	    offset) == MAP_FAILED ? -1 : 0;
}

int vm_setup_memory(struct vmctx *ctx, size_t len, int style)
{
	size_t low = len < ctx->lowmem_limit ? len : ctx->lowmem_limit, high = len - low;
	size_t all = GUARD + (high ? 4 * GB + high : low) + GUARD;
	char *range = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)style;
	if (range == MAP_FAILED || back(ctx, range + GUARD, low, 0) ||
	    (high && back(ctx, range + GUARD + 4 * GB, high, low)))
		return -1;
	ctx->base = range + GUARD;
	ctx->lowmem = low;
	ctx->highmem = high;
	return 0;
}

void *vm_create_devmem(struct vmctx *ctx, int segid, const char *name, size_t len)
{
	(void)ctx, (void)segid, (void)name;
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

void *vm_map_gpa(struct vmctx *ctx, uint64_t gpa, size_t len)
{
	int low = gpa < ctx->lowmem && len <= ctx->lowmem - gpa;
	int high = gpa >= 4 * GB && gpa - 4 * GB < ctx->highmem &&
	    len <= ctx->highmem - (gpa - 4 * GB);

	return low || high ? ctx->base + gpa : NULL;
}

size_t vm_get_lowmem_size(struct vmctx *ctx)
{
	return ctx->lowmem;
}

size_t vm_get_highmem_size(struct vmctx *ctx)
{
	return ctx->highmem;
}

const char *vm_get_name(struct vmctx *ctx)
{
	return ctx->name;
}

struct vcpu *vm_vcpu_open(struct vmctx *ctx, int vcpuid)
{
	struct vcpu *vcpu = malloc(sizeof(*vcpu));

	if (vcpu != NULL) {
		vcpu->ctx = ctx;
		vcpu->id = vcpuid;
	}
	return vcpu;
}

int vcpu_id(struct vcpu *vcpu)
{
	return vcpu->id;
}

int vm_run(struct vcpu *vcpu, struct vm_run *run)
{
	struct kernel_vcpu *k = &vcpu->ctx->vcpu[vcpu->id];
	int error;

	pthread_mutex_lock(&k->lock);
	run->cpuid = vcpu->id;
	k->waiting = 1;
	pthread_cond_broadcast(&k->changed);
	while (!k->pending)
		pthread_cond_wait(&k->changed, &k->lock);
	k->pending = k->waiting = 0;
	error = k->error;
	if (error == 0)
		memcpy(run->vm_exit, &k->exit, sizeof(k->exit));
	pthread_mutex_unlock(&k->lock);
	errno = error;
	return error ? -1 : 0;
}

void standin_post(struct vmctx *ctx, int vcpu, const void *exit, int error)
{
	struct kernel_vcpu *k = &ctx->vcpu[vcpu];

	pthread_mutex_lock(&k->lock);
	while (!k->waiting)
		pthread_cond_wait(&k->changed, &k->lock);
	memcpy(&k->exit, exit, sizeof(k->exit));
	k->error = error;
	k->pending = 1;
	k->waiting = 0;
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->lock);
}

void standin_settle(struct vmctx *ctx, int vcpu)
{
	struct kernel_vcpu *k = &ctx->vcpu[vcpu];

	pthread_mutex_lock(&k->lock);
	while (!k->waiting)
		pthread_cond_wait(&k->changed, &k->lock);
	pthread_mutex_unlock(&k->lock);
}

void standin_exit(struct vmctx *ctx, int vcpu, const void *exit, int error)
{
	standin_post(ctx, vcpu, exit, error);
	/* A destroyed VM's thread does not come back. */
	if (error != STANDIN_DESTROYED)
		standin_settle(ctx, vcpu);
}

/* Ends the process for a system call with a path or an address. */
#define NEVER(call) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), \
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

int cap_enter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		NEVER(open), NEVER(openat), NEVER(openat2), NEVER(creat), NEVER(connect),
		NEVER(bind), NEVER(mkdir), NEVER(mkdirat), NEVER(rename), NEVER(renameat2),
		NEVER(unlink), NEVER(rmdir), NEVER(access), NEVER(faccessat), NEVER(faccessat2),
		NEVER(stat), NEVER(lstat), NEVER(readlink), NEVER(readlinkat), NEVER(chdir),
		NEVER(execve), NEVER(execveat), NEVER(inotify_add_watch), NEVER(ptrace),
		/* Of a path with a directory's descriptor only unlinkat is needed. */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unlinkat, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)AT_FDCWD, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	/* All threads, as Capsicum: the shim's control thread is there already. */
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program)
	    ? -1 : 0;
}
