/*
 * A guest inside the guest, for tests of two-dimensional page walks.
 *
 * Runs in L1 (which has kvm-amd and /dev/kvm), makes an L2 with page tables and known data of its
 * own, and says where they are. A daemon keeps the L2; commands reach it through two FIFOs:
 *
 *	l2 start	makes L2, prints what there is, returns while L2 lives on
 *	l2 churn N	moves N pages, one after the other, and returns when done
 *	l2 race N	moves the text page N times while L2 runs on another CPU
 *	l2 stop		ends L2
 *
 * Each prints lines of key=value:
 *
 *	cr3=	L2's CR3	base=	first data page	pages=	how many
 *	large=	a 2 MiB page	root=	nested CR3	level=	levels of the nested tables
 *	generation=	how often a page has been moved so far
 *	text=	a page with a string	moved=	how often that page has been moved
 *
 * Data: word k of data page i is i << 48 | generation << 16 | k, with the generation in which the
 * page was last moved; word k of the large page is 0xb16 << 48 | k.
 *
 * Moving page i: its spare frame loses its memory in L1 (so the nested entry goes, and another L1
 * page comes), is filled anew, is touched by L2 through an alias (so the nested entry comes), and
 * then L2's page-table entry is pointed at it in one store.
 *
 * The text page says "L2 text, moved 00000000 times", with as many digits whatever the number.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KVM "/dev/kvm"
#define TRACING "/sys/kernel/tracing/"
#define COMMANDS "/run/l2.commands"
#define ANSWERS "/run/l2.answers"

enum {
	PAGE = 4096,
	WORDS = PAGE / 8,
	PAGES = 64,
	LARGE = 2 << 20,
	LOW_SIZE = 2 * LARGE,		/* tables and code, then the large page */
	FRAMES = 2 * PAGES + 2,		/* two a data page, two for the text */
	TEXT_FRAME = 2 * PAGES,		/* the first of those */
	HIGH_SIZE = FRAMES * PAGE,

	/* L2 physical addresses of its tables and its code. */
	PML4 = 0x1000, CODE_PDPT = 0x2000, CODE_PD = 0x3000, CODE_PT = 0x4000,
	DATA_PDPT = 0x5000, DATA_PD = 0x6000, DATA_PT = 0x7000, LARGE_PD = 0x8000,
	ALIAS_PD = 0x9000, ALIAS_PT = 0xa000, CODE = 0x10000,

	PRESENT = 1, WRITABLE = 2, LEAF_LARGE = 0x80,
	TABLE = PRESENT | WRITABLE,
};

/* L2 physical address of the data frames, and virtual addresses. */
static const uint64_t HIGH = 1ull << 32;
static const uint64_t CODE_AT = 0x400000;
static const uint64_t DATA_AT = 0xffff888000000000;
static const uint64_t LARGE_AT = 0xffff888040000000;
static const uint64_t ALIAS_AT = 0xffff888080000000;
static const uint64_t TEXT_AT = 0xffff888000000000 + PAGES * PAGE;

/* Touches rcx pages from rsi on, then leaves. */
static const unsigned char CODE_BYTES[] = {
	0x0f, 0x20, 0xd8,				/* mov %cr3, %rax */
	0x0f, 0x22, 0xd8,				/* mov %rax, %cr3 */
	0x48, 0x8b, 0x06,				/* 1: mov (%rsi), %rax */
	0x48, 0x81, 0xc6, 0x00, 0x10, 0x00, 0x00,	/* add $0x1000, %rsi */
	0xe2, 0xf4,					/* loop 1b */
	0xe6, 0x10,					/* out %al, $0x10 */
};

struct l2 {
	unsigned char *low, *high;	/* L1 user addresses of L2's memory */
	int kvm, vm, vcpu;
	struct kvm_run *run;
	size_t run_size;
	uint64_t generation;
	int frame[PAGES];		/* which of its two frames a page has */
	uint64_t moved;			/* the text page */
	int text;			/* which of its two frames it has */
	atomic_ulong passes;		/* of the thread that runs L2 */
	atomic_bool stop;		/* that thread */
};

static uint64_t *
table(struct l2 *l2, uint64_t at)
{
	return (uint64_t *)(l2->low + at);
}

static uint64_t
frame_of(int page, int which)
{
	/* Neighbours are no neighbours: 29 is prime to the number of frames. */
	return (uint64_t)((page * 2 + which) * 29 % (2 * PAGES)) * PAGE;
}

static void *
memory(size_t size, int advice)
{
	size_t whole = size + LARGE;
	unsigned char *at = mmap(NULL, whole, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		err(1, "mmap");
	at = (unsigned char *)(((uintptr_t)at + LARGE - 1) & ~(uintptr_t)(LARGE - 1));
	/* Without huge pages in the kernel the tests see 4 KiB nested pages only. */
	(void)madvise(at, size, advice);
	return at;
}

static void
fill(struct l2 *l2, int page, int which)
{
	uint64_t *words = (uint64_t *)(l2->high + frame_of(page, which));

	for (uint64_t k = 0; k < WORDS; k++)
		words[k] = (uint64_t)page << 48 | l2->generation << 16 | k;
}

static void
map(struct l2 *l2, int page, int which)
{
	l2->frame[page] = which;
	__atomic_store_n(&table(l2, DATA_PT)[page],
	    (HIGH + frame_of(page, which)) | TABLE, __ATOMIC_SEQ_CST);
}

static void
fill_text(struct l2 *l2, int which)
{
	char *page = (char *)l2->high + (TEXT_FRAME + which) * PAGE;

	memset(page, '#', PAGE);
	sprintf(page, "L2 text, moved %08llu times", (unsigned long long)l2->moved);
}

static void
map_text(struct l2 *l2, int which)
{
	l2->text = which;
	__atomic_store_n(&table(l2, DATA_PT)[PAGES],
	    (HIGH + (TEXT_FRAME + which) * PAGE) | TABLE, __ATOMIC_SEQ_CST);
}

static void
build(struct l2 *l2)
{
	uint64_t *large = (uint64_t *)(l2->low + LARGE);

	memcpy(l2->low + CODE, CODE_BYTES, sizeof(CODE_BYTES));
	table(l2, PML4)[0] = CODE_PDPT | TABLE;
	table(l2, CODE_PDPT)[0] = CODE_PD | TABLE;
	table(l2, CODE_PD)[CODE_AT >> 21] = CODE_PT | TABLE;
	table(l2, CODE_PT)[0] = CODE | TABLE;
	table(l2, PML4)[DATA_AT >> 39 & 511] = DATA_PDPT | TABLE;
	table(l2, DATA_PDPT)[0] = DATA_PD | TABLE;
	table(l2, DATA_PDPT)[1] = LARGE_PD | TABLE;
	table(l2, DATA_PDPT)[2] = ALIAS_PD | TABLE;
	table(l2, DATA_PD)[0] = DATA_PT | TABLE;
	table(l2, LARGE_PD)[0] = LARGE | TABLE | LEAF_LARGE;
	table(l2, ALIAS_PD)[0] = ALIAS_PT | TABLE;
	fill_text(l2, 0);
	map_text(l2, 0);
	for (uint64_t frame = 0; frame < FRAMES; frame++)
		table(l2, ALIAS_PT)[frame] = (HIGH + frame * PAGE) | TABLE;
	for (int page = 0; page < PAGES; page++) {
		fill(l2, page, 0);
		fill(l2, page, 1);
		map(l2, page, 0);
	}
	for (uint64_t k = 0; k < LARGE / 8; k++)
		large[k] = 0xb16ull << 48 | k;
}

static void
slot(int vm, uint32_t number, uint64_t at, void *memory, uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = number,
		.guest_phys_addr = at,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) == -1)
		err(1, "memory slot %u", number);
}

static void
long_mode(int vcpu)
{
	struct kvm_sregs s;
	struct kvm_segment code = { .type = 11, .present = 1, .s = 1, .l = 1, .g = 1,
	    .selector = 8, .limit = 0xffffffff };
	struct kvm_segment data = { .type = 3, .present = 1, .s = 1, .db = 1, .g = 1,
	    .selector = 16, .limit = 0xffffffff };

	if (ioctl(vcpu, KVM_GET_SREGS, &s) == -1)
		err(1, "KVM_GET_SREGS");
	s.cs = code;
	s.ds = s.es = s.ss = s.fs = s.gs = data;
	s.cr3 = PML4;
	s.cr4 = 1 << 5;				/* PAE */
	s.efer = 1 << 8 | 1 << 10;		/* LME, LMA */
	s.cr0 = 1u << 31 | 1 << 16 | 1;		/* PG, WP, PE */
	if (ioctl(vcpu, KVM_SET_SREGS, &s) == -1)
		err(1, "KVM_SET_SREGS");
}

static void
create(struct l2 *l2)
{
	int size;

	if ((l2->kvm = open(KVM, O_RDWR | O_CLOEXEC)) == -1)
		err(1, KVM);
	if ((l2->vm = ioctl(l2->kvm, KVM_CREATE_VM, 0)) == -1)
		err(1, "KVM_CREATE_VM");
	l2->low = memory(LOW_SIZE, MADV_HUGEPAGE);
	l2->high = memory(HIGH_SIZE, MADV_NOHUGEPAGE);
	build(l2);
	slot(l2->vm, 0, 0, l2->low, LOW_SIZE);
	slot(l2->vm, 1, HIGH, l2->high, HIGH_SIZE);
	if ((l2->vcpu = ioctl(l2->vm, KVM_CREATE_VCPU, 0)) == -1)
		err(1, "KVM_CREATE_VCPU");
	if ((size = ioctl(l2->kvm, KVM_GET_VCPU_MMAP_SIZE, 0)) == -1)
		err(1, "KVM_GET_VCPU_MMAP_SIZE");
	l2->run_size = size;
	l2->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, l2->vcpu, 0);
	if (l2->run == MAP_FAILED)
		err(1, "the vCPU's page");
	long_mode(l2->vcpu);
}

/* Whoever is told that L2 has stopped may unload KVM. */
static void
destroy(struct l2 *l2)
{
	if (munmap(l2->run, l2->run_size) == -1 || close(l2->vcpu) == -1 || close(l2->vm) == -1 ||
	    close(l2->kvm) == -1)
		err(1, "ending L2");
}

/* Lets L2 read `count` pages from `at` on. */
static void
touch(struct l2 *l2, uint64_t at, uint64_t count)
{
	struct kvm_regs regs = { .rip = CODE_AT, .rsi = at, .rcx = count, .rflags = 2 };

	if (ioctl(l2->vcpu, KVM_SET_REGS, &regs) == -1)
		err(1, "KVM_SET_REGS");
	if (ioctl(l2->vcpu, KVM_RUN, 0) == -1)
		err(1, "KVM_RUN");
	if (l2->run->exit_reason != KVM_EXIT_IO)
		errx(1, "L2 left with exit reason %u", l2->run->exit_reason);
}

static void
churn(struct l2 *l2, unsigned long rounds)
{
	for (unsigned long round = 0; round < rounds; round++) {
		int page = l2->generation++ % PAGES, which = !l2->frame[page];

		if (madvise(l2->high + frame_of(page, which), PAGE, MADV_DONTNEED) == -1)
			err(1, "MADV_DONTNEED");
		fill(l2, page, which);
		touch(l2, ALIAS_AT + frame_of(page, which), 1);
		map(l2, page, which);
	}
}

/* Runs L2 over and over, so that it is seen to leave, and touches both frames of the text. */
static void *
keep_running(void *argument)
{
	struct l2 *l2 = argument;

	while (!atomic_load(&l2->stop)) {
		touch(l2, ALIAS_AT + TEXT_FRAME * PAGE, 2);
		atomic_fetch_add(&l2->passes, 1);
	}
	return NULL;
}

static void
race(struct l2 *l2, unsigned long rounds)
{
	pthread_t runner;

	atomic_store(&l2->stop, false);
	if ((errno = pthread_create(&runner, NULL, keep_running, l2)) != 0)
		err(1, "pthread_create");
	for (unsigned long round = 0; round < rounds; round++) {
		int which = !l2->text;
		unsigned long passes;

		if (madvise(l2->high + (TEXT_FRAME + which) * PAGE, PAGE, MADV_DONTNEED) == -1)
			err(1, "MADV_DONTNEED");
		l2->moved++;
		fill_text(l2, which);
		/* One whole pass from here on: the new frame has its nested entry. */
		passes = atomic_load(&l2->passes);
		while (atomic_load(&l2->passes) < passes + 2)
			sched_yield();
		map_text(l2, which);
	}
	atomic_store(&l2->stop, true);
	pthread_join(runner, NULL);
}

static void
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd == -1 || write(fd, text, strlen(text)) == -1)
		err(1, "%s", path);
	close(fd);
}

/* KVM shows every root it loads to a kprobe: its second and third argument. */
static void
watch_root(void)
{
	put(TRACING "kprobe_events", "p:l2/root svm_load_mmu_pgd root=%si level=%dx\n");
	put(TRACING "events/l2/root/enable", "1");
}

static void
forget_root(void)
{
	put(TRACING "events/l2/root/enable", "0");
	put(TRACING "kprobe_events", "-:l2/root\n");
}

/* The newest root that was loaded. */
static void
print_root(FILE *out)
{
	char line[1024];
	unsigned long long root = 0, level = 0;
	FILE *trace = fopen(TRACING "trace", "re");

	if (trace == NULL)
		err(1, TRACING "trace");
	while (fgets(line, sizeof(line), trace) != NULL) {
		char *at = strstr(line, "root=");

		if (at != NULL)
			(void)sscanf(at, "root=%llx level=%llx", &root, &level);
	}
	fclose(trace);
	fprintf(out, "root=%#llx\nlevel=%llu\n", root, level);
}

static void
describe(struct l2 *l2, FILE *out)
{
	fprintf(out, "cr3=%#x\nbase=%#llx\npages=%d\nlarge=%#llx\ngeneration=%llu\n", PML4,
	    (unsigned long long)DATA_AT, PAGES, (unsigned long long)LARGE_AT,
	    (unsigned long long)l2->generation);
	fprintf(out, "text=%#llx\nmoved=%llu\n", (unsigned long long)TEXT_AT,
	    (unsigned long long)l2->moved);
	print_root(out);
}

static void
serve(void)
{
	static struct l2 l2;
	char line[64];

	watch_root();
	create(&l2);
	touch(&l2, ALIAS_AT, FRAMES);
	touch(&l2, DATA_AT, PAGES + 1);
	touch(&l2, LARGE_AT, LARGE / PAGE);
	for (;;) {
		/* A FIFO ends with its writer: one command, one opening. */
		FILE *in = fopen(COMMANDS, "re");
		FILE *out = fopen(ANSWERS, "we");
		unsigned long rounds;

		if (in == NULL || out == NULL)
			err(1, "FIFO");
		if (fgets(line, sizeof(line), in) == NULL)
			line[0] = '\0';
		if (sscanf(line, "churn %lu", &rounds) == 1)
			churn(&l2, rounds);
		if (sscanf(line, "race %lu", &rounds) == 1)
			race(&l2, rounds);
		if (strcmp(line, "stop\n") == 0) {
			destroy(&l2);
			forget_root();
		}
		describe(&l2, out);
		fclose(in);
		fclose(out);
		if (strcmp(line, "stop\n") == 0)
			exit(0);
	}
}

static void
command(const char *text)
{
	char line[256];
	FILE *in, *out;

	/* If there is no daemon, nobody opens the other end. */
	alarm(90);
	if ((out = fopen(COMMANDS, "we")) == NULL)
		err(1, COMMANDS);
	/* The daemon opens both before it reads. */
	if ((in = fopen(ANSWERS, "re")) == NULL)
		err(1, ANSWERS);
	fprintf(out, "%s\n", text);
	fclose(out);
	if (fgets(line, sizeof(line), in) == NULL)
		errx(1, "L2 is gone");
	do
		fputs(line, stdout);
	while (fgets(line, sizeof(line), in) != NULL);
}

static void
start(void)
{
	(void)unlink(COMMANDS);
	(void)unlink(ANSWERS);
	if (mkfifo(COMMANDS, 0600) == -1 || mkfifo(ANSWERS, 0600) == -1)
		err(1, "mkfifo");
	/* The daemon's errors go to the console; it must not keep the caller's descriptors. */
	switch (fork()) {
	case -1:
		err(1, "fork");
	case 0: {
		int console = open("/dev/console", O_RDWR);

		for (int fd = 0; fd < 3; fd++)
			(void)dup2(console, fd);
		(void)setsid();
		serve();
	}
	}
	command("describe");
}

int
main(int argc, char **argv)
{
	char line[64];

	if (argc == 2 && strcmp(argv[1], "start") == 0) {
		start();
	} else if (argc == 3 && (strcmp(argv[1], "churn") == 0 || strcmp(argv[1], "race") == 0)) {
		snprintf(line, sizeof(line), "%s %lu", argv[1], strtoul(argv[2], NULL, 10));
		command(line);
	} else if (argc == 2 && strcmp(argv[1], "stop") == 0) {
		command("stop");
	} else {
		fprintf(stderr, "usage: l2 start | churn N | race N | stop\n");
		return 2;
	}
	return 0;
}
