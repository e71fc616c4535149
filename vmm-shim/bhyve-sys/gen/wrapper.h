/* What the bindings are made of: bhyve's user ABI, and what its headers expect before them. */
#include <sys/types.h>
#include <sys/param.h>
#include <sys/cpuset.h>
#include <sys/ioccom.h>
#include <machine/vmm.h>
#include <machine/vmm_dev.h>
