/*
 * A program whose functions and declared probe (USDT) are traced on the host.
 *
 * `probed N` weighs N times, and prints how often somebody traced its declared probe; `probed wait N` waits
 * for a byte on its standard input first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Not 0 while the declared probe is traced. */
__attribute__((section(".probes"))) volatile unsigned short shop_order_done_semaphore;

/*
 * The probe shop:::order-done: an instruction that does nothing, and a note that says where it is, where its
 * counter is, and where its arguments are.
 */
#define ORDER_DONE(number, price, weight)							\
	__asm__ volatile("990: nop\n"								\
		".pushsection .note.stapsdt, \"\", @note\n"					\
		".balign 4\n"									\
		".4byte 992f - 991f, 994f - 993f, 3\n"						\
		"991: .asciz \"stapsdt\"\n"							\
		"992: .balign 4\n"								\
		"993: .8byte 990b, marked_base, shop_order_done_semaphore\n"			\
		".asciz \"shop\"\n"								\
		".asciz \"order__done\"\n"							\
		".asciz \"-4@%k0 8@%1 -8@$-3 8@%2\"\n"					\
		"994: .balign 4\n"								\
		".popsection\n"									\
		".pushsection .stapsdt.base, \"a\", @progbits\n"				\
		"marked_base: .space 1\n"							\
		".popsection\n"									\
		: : "r" (number), "r" (price), "m" (weight))

/* Seven parameters: one is on the stack. */
__attribute__((noinline)) long weigh(long a, long b, long c, long d, long e, long f, long g)
{
	__asm__ volatile("" : : : "memory");
	return a + b + c + d + e + f + 2 * g;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[argc - 1]) : 1, seen = 0, sum = 0;
	char byte;

	if (argc > 2 && strcmp(argv[1], "wait") == 0 && read(0, &byte, 1) != 1)
		return 1;
	for (long i = 0; i < n; i++) {
		int number = -(int)i;
		long weight = weigh(i, 0, 0, 0, 0, 0, 7);

		sum += weight;
		seen += shop_order_done_semaphore != 0;
		ORDER_DONE(number, 1000 + i, weight);
	}
	printf("seen %ld sum %ld\n", seen, sum);
	return 0;
}
