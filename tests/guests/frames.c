/*
 * A program with frame pointers all the way, for user stacks: main calls outer calls middle calls
 * inner, which makes a system call without a wrapper of the C library, or spins.
 *
 *   frames call     getppid(2), again and again
 *   frames spin     spins
 *
 * Static and at fixed addresses, so that a stack's addresses are those of its symbol table.
 */
#include <string.h>
#include <sys/syscall.h>

volatile unsigned long spun;

__attribute__((noinline)) static long inner(int spin)
{
	long result = SYS_getppid;

	if (spin) {
		for (unsigned long i = 0; i < 100000; i++)
			spun++;
	} else {
		__asm__ volatile("syscall" : "+a"(result) : : "rcx", "r11", "memory");
	}
	return result + (long)spun;
}

__attribute__((noinline)) static long middle(int spin)
{
	return inner(spin) + 1;
}

__attribute__((noinline)) static long outer(int spin)
{
	return middle(spin) + 2;
}

int main(int argc, char **argv)
{
	int spin = argc > 1 && strcmp(argv[1], "spin") == 0;
	volatile long sum = 0;

	for (;;)
		sum += outer(spin);
}
