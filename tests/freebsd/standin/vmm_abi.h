/*
 * The part of FreeBSD's machine/vmm.h and machine/vmm_dev.h that the stand-ins use, checked
 * against the bindings: layout.h is written by the harness from bhyve-sys, for one release.
 */
#ifndef STANDIN_VMM_ABI_H
#define STANDIN_VMM_ABI_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "layout.h"

struct vcpu;
struct vmctx;

struct vm_inout {
	uint16_t bytes : 3, in : 1, string : 1, rep : 1;
	uint16_t port;
	uint32_t eax;
};

struct vm_exit {
	int exitcode;
	int inst_length;
	uint64_t rip;
	union {
		struct vm_inout inout;
		uint8_t bytes[VM_EXIT_SIZE - 16];
	} u;
};

struct vm_run {
	int cpuid;
	void *cpuset;
	size_t cpusetsize;
	struct vm_exit *vm_exit;
};

_Static_assert(sizeof(struct vm_exit) == VM_EXIT_SIZE, "vm_exit");
_Static_assert(offsetof(struct vm_exit, exitcode) == VM_EXIT_EXITCODE, "exitcode");
_Static_assert(offsetof(struct vm_exit, u) == VM_EXIT_U, "u");
_Static_assert(sizeof(struct vm_inout) == VM_INOUT_SIZE, "vm_inout");
_Static_assert(offsetof(struct vm_inout, port) == VM_INOUT_PORT, "port");
_Static_assert(offsetof(struct vm_inout, eax) == VM_INOUT_EAX, "eax");
_Static_assert(sizeof(struct vm_run) == VM_RUN_SIZE, "vm_run");
_Static_assert(offsetof(struct vm_run, vm_exit) == VM_RUN_VM_EXIT, "vm_exit");

/* libvmmapi: what bhyve calls. */
struct vmctx *vm_open(const char *name);
int vm_set_topology(struct vmctx *, uint16_t sockets, uint16_t cores, uint16_t threads,
    uint16_t maxcpus);
int vm_get_topology(struct vmctx *, uint16_t *sockets, uint16_t *cores, uint16_t *threads,
    uint16_t *maxcpus);
int vm_setup_memory(struct vmctx *, size_t len, int style);
void *vm_create_devmem(struct vmctx *, int segid, const char *name, size_t len);
void *vm_map_gpa(struct vmctx *, uint64_t gpa, size_t len);
size_t vm_get_lowmem_size(struct vmctx *);
size_t vm_get_highmem_size(struct vmctx *);
void vm_set_lowmem_limit(struct vmctx *, uint32_t limit);
const char *vm_get_name(struct vmctx *);
struct vcpu *vm_vcpu_open(struct vmctx *, int vcpuid);
int vcpu_id(struct vcpu *);
int vm_run(struct vcpu *, struct vm_run *);

/* libc's, here in the same library. */
int cap_enter(void);

/*
 * The kernel's side, which only the stand-in has: `standin_post` makes a vCPU's vm_run return with
 * this exit (or fail with `error`), `standin_settle` waits until that vCPU calls vm_run again, and
 * `standin_exit` does both.
 */
void standin_post(struct vmctx *, int vcpu, const void *exit, int error);
void standin_settle(struct vmctx *, int vcpu);
void standin_exit(struct vmctx *, int vcpu, const void *exit, int error);

#define STANDIN_VCPUS 64
/* vm_run fails with this when the VM is no more, and bhyve's thread ends. */
#define STANDIN_DESTROYED 6 /* ENXIO */

#endif
