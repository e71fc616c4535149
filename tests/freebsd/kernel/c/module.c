/*
 * The C side of the kernel road: a module, and what the Rust side asks of a kernel. It shows that
 * both link into one .ko; nothing calls ht_kernel_vmcall, since vmm(4) has no hook for it.
 */
#include <sys/param.h>
#include <sys/systm.h>
#include <sys/kernel.h>
#include <sys/malloc.h>
#include <sys/module.h>
#include <sys/time.h>

static MALLOC_DEFINE(M_HYPERTRACE, "hypertrace", "HyperTrace, kernel road");

void *ht_kernel_open(const void *setup);
int ht_kernel_vmcall(void *probe, uint64_t frame, uint64_t eptp);
void ht_kernel_close(void *probe);

void *ht_kernel_alloc(size_t size, size_t align);
void ht_kernel_free(void *at);
uint64_t ht_kernel_now(void);
void ht_kernel_panic(void) __dead2;

/* What a hook in vmm(4)'s exit handler would be given; kept so that the linker keeps them. */
void *(*volatile ht_kernel_entry[])(const void *) = {
	ht_kernel_open,
	(void *(*)(const void *))ht_kernel_vmcall,
	(void *(*)(const void *))ht_kernel_close,
};

void *
ht_kernel_alloc(size_t size, size_t align)
{
	return (malloc_aligned(size, align, M_HYPERTRACE, M_WAITOK));
}

void
ht_kernel_free(void *at)
{
	free(at, M_HYPERTRACE);
}

uint64_t
ht_kernel_now(void)
{
	struct timespec now;

	nanouptime(&now);
	return ((uint64_t)now.tv_sec * 1000000000 + now.tv_nsec);
}

void
ht_kernel_panic(void)
{
	panic("hypertrace: a bug in the firing path");
}

static int
load(module_t module, int what, void *argument)
{
	(void)module, (void)argument;
	switch (what) {
	case MOD_LOAD:
	case MOD_UNLOAD:
		return (0);
	default:
		return (EOPNOTSUPP);
	}
}

static moduledata_t data = { "hypertrace_kernel", load, NULL };
DECLARE_MODULE(hypertrace_kernel, data, SI_SUB_DRIVERS, SI_ORDER_ANY);
MODULE_VERSION(hypertrace_kernel, 1);
