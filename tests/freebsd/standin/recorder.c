/*
 * A plugin for QEMU that records what a real guest's doorbells meant to the shim in the same QEMU:
 * every page of guest memory that the shim touched to answer one, as it was before.
 *
 *   -plugin recorder.so,log=FILE  beside  -plugin libhypertrace_qemu.so,...
 *
 * The shim has mapped the guest's RAM a second time. Before each doorbell that mapping is made
 * inaccessible, so that its first look at a page raises SIGSEGV; the handler writes the page to the
 * log and lets the shim have it. QEMU's own mapping, which the guest runs on, is left alone.
 *
 * The log is a row of records, each written at once: 24 bytes of struct record and, for a page, its
 * 4096 bytes. The first page of a doorbell is its descriptor's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* QEMU's plugin interface, version 1, as far as it is used; see QEMU's include/qemu/qemu-plugin.h. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*tb_callback)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*insn_callback)(unsigned vcpu, void *argument);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, tb_callback);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, insn_callback, int flags,
    void *argument);

int qemu_plugin_version = 1;

/* Of a record: what it is, and of which doorbell; `gpa` of a page. */
enum { DOORBELL = 1, PAGE = 2 };
struct record {
	uint32_t kind, vcpu;
	uint64_t doorbell, gpa;
};

#define HIGH (4ULL << 30)	/* where RAM above the hole begins */

/* The shim's mappings, in the order of the file of RAM. */
struct mapping {
	uintptr_t start, end;
	uint64_t offset;
};
static struct mapping mappings[2];
static int nmappings;
static int logged = -1;
static uint64_t doorbells;
static struct sigaction before;

/* The doorbell that this thread's vCPU is in. */
static __thread struct record current;

static void die(const char *what)
{
	fprintf(stderr, "recorder: %s: %s\n", what, strerror(errno));
	_exit(5);
}

/*
 * Finds the shim's mappings: those of the file of RAM that do not continue the one in which QEMU has
 * the instruction at `own`. A mapping may be in pieces; all have the same distance to their offset.
 */
static void find(uintptr_t own)
{
	struct mapping all[64];
	char line[512];
	uintptr_t qemu = 0;
	int count = 0;
	FILE *maps = fopen("/proc/self/maps", "r");

	if (maps == NULL)
		die("/proc/self/maps");
	while (count < 64 && fgets(line, sizeof(line), maps) != NULL) {
		struct mapping *m = &all[count];

		if (strstr(line, "memfd:memory-backend-memfd") == NULL ||
		    sscanf(line, "%lx-%lx %*s %lx", &m->start, &m->end, &m->offset) != 3)
			continue;
		if (own >= m->start && own < m->end)
			qemu = m->start - m->offset;
		count++;
	}
	fclose(maps);
	for (int i = 0; i < count && qemu != 0; i++) {
		if (all[i].start - all[i].offset == qemu)
			continue;
		if (nmappings == 2) {
			errno = E2BIG;
			die("more mappings of RAM than the shim makes");
		}
		mappings[nmappings++] = all[i];
	}
	if (nmappings == 2 && mappings[0].offset > mappings[1].offset) {
		struct mapping swap = mappings[0];

		mappings[0] = mappings[1];
		mappings[1] = swap;
	}
}

static void protect(void)
{
	for (int i = 0; i < nmappings; i++)
		if (mprotect((void *)mappings[i].start, mappings[i].end - mappings[i].start,
		    PROT_NONE))
			die("mprotect");
}

static void put(const struct record *record, void *page)
{
	struct iovec parts[2] = { { (void *)record, sizeof(*record) }, { page, 4096 } };
	ssize_t size = sizeof(*record) + (page != NULL ? 4096 : 0);

	if (writev(logged, parts, page != NULL ? 2 : 1) != size)
		die("the log");
}

static void touched(int signal, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr & ~4095UL;
	struct record record = current;

	for (int i = 0; i < nmappings; i++) {
		if (at < mappings[i].start || at >= mappings[i].end)
			continue;
		record.kind = PAGE;
		record.gpa = (i == 0 ? 0 : HIGH) + (at - mappings[i].start);
		if (mprotect((void *)at, 4096, PROT_READ | PROT_WRITE))
			die("mprotect");
		put(&record, (void *)at);
		return;
	}
	(void)signal, (void)context;
	sigaction(SIGSEGV, &before, NULL);
}

/* Before the doorbell's store, and so before the shim is called. */
static void on_doorbell(unsigned vcpu, void *own)
{
	if (nmappings == 0)
		find((uintptr_t)own);
	current.kind = DOORBELL;
	current.vcpu = vcpu;
	current.doorbell = __atomic_add_fetch(&doorbells, 1, __ATOMIC_SEQ_CST);
	put(&current, NULL);
	protect();
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	static const unsigned char doorbell[] = { 0x48, 0x89, 0xb7, 0x43, 0x52, 0x54, 0x48 };

	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (qemu_plugin_insn_size(insn) == sizeof(doorbell) &&
		    memcmp(qemu_plugin_insn_data(insn), doorbell, sizeof(doorbell)) == 0)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_doorbell, 0,
			    qemu_plugin_insn_haddr(insn));
	}
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = touched, .sa_flags = SA_SIGINFO };

	(void)info;
	if (argc != 1 || strncmp(argv[0], "log=", 4) != 0) {
		fprintf(stderr, "recorder: log=FILE is the one argument\n");
		return 1;
	}
	logged = open(argv[0] + 4, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (logged < 0)
		die(argv[0] + 4);
	sigaction(SIGSEGV, &action, &before);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	return 0;
}
