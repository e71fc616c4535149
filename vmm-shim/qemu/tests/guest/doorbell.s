# The smallest guest that can call the host: a multiboot kernel that enters long mode, says HELLO
# from a descriptor at the guest-physical address PAGE, polls once, and reports each status as a
# letter on the serial port ('A' is 0). Assembled by doorbell.rs, which defines PAGE.
#
# Page tables: 8 GiB in pages of 2 MiB, at 0 and again at the start of the kernel's half.

        .set    KERNEL, 0xffff800000000000
        .set    MAGIC, 0x1badb002

        .section .text
        .code32
        .align  4
        .long   MAGIC, 0, -MAGIC

        .globl  _start
_start:
        cli
        mov     $stack_top, %esp
        # One table of the second level serves both halves.
        movl    $pdpt + 3, pml4
        movl    $pdpt + 3, pml4 + 256 * 8
        mov     $8, %ecx
        mov     $pd + 3, %eax
        mov     $pdpt, %edi
1:      mov     %eax, (%edi)
        add     $4096, %eax
        add     $8, %edi
        loop    1b
        # 4096 pages of 2 MiB.
        xor     %ebx, %ebx              # low half of the entry
        xor     %edx, %edx              # high half
        mov     $4096, %ecx
        mov     $pd, %edi
2:      mov     %ebx, %eax
        or      $0x83, %eax
        mov     %eax, (%edi)
        mov     %edx, 4(%edi)
        add     $0x200000, %ebx
        adc     $0, %edx
        add     $8, %edi
        loop    2b
        mov     $pml4, %eax
        mov     %eax, %cr3
        mov     %cr4, %eax
        or      $0x20, %eax             # PAE
        mov     %eax, %cr4
        mov     $0xc0000080, %ecx       # EFER
        rdmsr
        or      $0x100, %eax            # LME
        wrmsr
        mov     %cr0, %eax
        or      $0x80000000, %eax       # PG
        mov     %eax, %cr0
        lgdt    gdt_pointer
        ljmp    $8, $long_mode

        .code64
long_mode:
        mov     $16, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        movabs  $KERNEL + PAGE, %rbx    # the descriptor
        # A process's doorbell is not heard: the same page through the lower half.
        movabs  $PAGE, %rax
        mov     %rbx, %r12
        mov     %rax, %rbx
        call    hello
        mov     %r12, %rbx
        call    hello
        # POLL: nothing acknowledged.
        movw    $6, 6(%rbx)
        movl    $16, 12(%rbx)
        movq    $0, 64(%rbx)
        movq    $0, 72(%rbx)
        call    ring
        # GOODBYE without the cookie.
        movw    $8, 6(%rbx)
        movl    $0, 12(%rbx)
        movq    $0, 40(%rbx)
        call    ring
        mov     $'\n', %al
        call    put
3:      hlt
        jmp     3b

hello:
        movl    $0x43525448, (%rbx)
        movw    $1, 4(%rbx)
        movw    $1, 6(%rbx)
        movl    $328, 12(%rbx)
        mov     %cr3, %rax
        mov     %rax, 32(%rbx)
        movw    $1, 64(%rbx)            # Linux
        movw    $4, 66(%rbx)            # levels of page tables
        movl    $1, 68(%rbx)            # CPUs
        movabs  $KERNEL + 0x100000, %rax
        mov     %rax, 80(%rbx)          # kernel_base
        movl    $0x79616b6f, 104(%rbx)  # hostname "okay"

# Rings for the descriptor at rbx and reports its status.
ring:
        movl    $0xffffffff, 8(%rbx)
        lea     16(%rbx), %rdi
        movabs  $0x48545243, %rax
        sub     %rax, %rdi
        xor     %esi, %esi
        .byte   0x48, 0x89, 0xb7, 0x43, 0x52, 0x54, 0x48
        mov     8(%rbx), %eax
        add     $'A', %al
        # Unanswered is '@'.
put:    mov     $0x3f8, %edx
        out     %al, %dx
        ret

        .align  8
gdt:    .quad   0, 0x00af9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt

        .section .bss
        .align  4096
pml4:   .skip   4096
pdpt:   .skip   4096
pd:     .skip   8 * 4096
        .skip   4096
stack_top:

        .section .note.GNU-stack, "", @progbits
