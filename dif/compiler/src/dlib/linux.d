/*
 * How a Linux kernel's own structures become D's.
 *
 * Members are read when a script uses them, not before: a kernel that lacks one is only a matter
 * for scripts that want it.
 */

/* The command line, its words apart by blanks; where the kernel's structure is not at hand, as in
 * BEGIN and END, the command's name. */
inline string execargs = curthread == NULL ? execname : curthread->mm == NULL ? "" :
    memstr(copyin((uintptr_t)curthread->mm->arg_start,
    curthread->mm->arg_end - curthread->mm->arg_start > 255 ? 255 :
    curthread->mm->arg_end - curthread->mm->arg_start), ' ',
    curthread->mm->arg_end - curthread->mm->arg_start > 255 ? 255 :
    curthread->mm->arg_end - curthread->mm->arg_start);

translator psinfo_t < struct task_struct *T > {
	pr_nlwp = T->signal->nr_threads;
	pr_pid = T->tgid;
	pr_ppid = T->real_parent->tgid;
	/* The group's and the session's number in the first namespace: PIDTYPE_PGID, PIDTYPE_SID. */
	pr_pgid = T->signal->pids[2]->numbers[0].nr;
	pr_sid = T->signal->pids[3]->numbers[0].nr;
	pr_uid = T->real_cred->uid.val;
	pr_euid = T->real_cred->euid.val;
	pr_gid = T->real_cred->gid.val;
	pr_egid = T->real_cred->egid.val;
	pr_addr = (uintptr_t)T;
	pr_fname = stringof(T->comm);
	/* Another process's memory is out of reach: then it is the command's name alone. */
	pr_psargs = T == curthread ? execargs : stringof(T->comm);
	/* TIF_ADDR32 */
	pr_dmodel = T->thread_info.flags & (1 << 29) ? PR_MODEL_ILP32 : PR_MODEL_LP64;
	pr_taskid = 0;
	pr_projid = 0;
};

translator lwpsinfo_t < struct task_struct *T > {
	pr_flag = T->flags;
	pr_lwpid = T->pid;
	pr_addr = (uintptr_t)T;
	/* 0 runs or may run, 0x3 sleeps, 0xc is stopped or traced, 0x30 is dead. */
	pr_state = T->__state == 0 ? (T->on_cpu ? SONPROC : SRUN) :
	    T->__state & 0x3 ? SSLEEP : T->__state & 0xc ? SSTOP : T->__state & 0x30 ? SZOMB : SWAIT;
	pr_sname = T->__state == 0 ? (T->on_cpu ? 'O' : 'R') :
	    T->__state & 0x3 ? 'S' : T->__state & 0xc ? 'T' : T->__state & 0x30 ? 'Z' : 'W';
	pr_pri = T->prio;
	pr_clname = T->policy == 0 ? "TS" : T->policy == 1 ? "FIFO" : T->policy == 2 ? "RR" :
	    T->policy == 3 ? "BATCH" : T->policy == 5 ? "IDLE" : "DL";
	pr_onpro = T->thread_info.cpu;
	pr_wchan = 0;
	pr_stype = 0;
	/* -1: to none. */
	pr_bindpro = T->nr_cpus_allowed == 1 ? T->thread_info.cpu : -1;
	pr_bindpset = -1;
};

translator cpuinfo_t < struct task_struct *T > {
	cpu_id = T->thread_info.cpu;
	cpu_pset = 0;
	cpu_chip = 0;
	cpu_lgrp = 0;
};

/* The thread that fires: what a fire carries anyway is taken from there, so that it is known in
 * BEGIN and END too, which have no kernel structure; what only that structure has is 0 there. */
struct firing_thread {
	int nothing;
};

translator psinfo_t < struct firing_thread *F > {
	pr_nlwp = curthread == NULL ? 1 : curthread->signal->nr_threads;
	pr_pid = pid;
	pr_ppid = ppid;
	pr_pgid = curthread == NULL ? 0 : curthread->signal->pids[2]->numbers[0].nr;
	pr_sid = curthread == NULL ? 0 : curthread->signal->pids[3]->numbers[0].nr;
	pr_uid = uid;
	pr_euid = curthread == NULL ? uid : curthread->real_cred->euid.val;
	pr_gid = gid;
	pr_egid = curthread == NULL ? gid : curthread->real_cred->egid.val;
	pr_addr = (uintptr_t)curthread;
	pr_fname = execname;
	pr_psargs = execargs;
	pr_dmodel = curthread == NULL ? PR_MODEL_LP64 :
	    curthread->thread_info.flags & (1 << 29) ? PR_MODEL_ILP32 : PR_MODEL_LP64;
	pr_taskid = 0;
	pr_projid = 0;
};

translator lwpsinfo_t < struct firing_thread *F > {
	pr_flag = curthread == NULL ? 0 : curthread->flags;
	pr_lwpid = tid;
	pr_addr = (uintptr_t)curthread;
	pr_state = curthread == NULL ? SONPROC : curthread->__state == 0 ?
	    (curthread->on_cpu ? SONPROC : SRUN) : curthread->__state & 0x3 ? SSLEEP :
	    curthread->__state & 0xc ? SSTOP : curthread->__state & 0x30 ? SZOMB : SWAIT;
	pr_sname = curthread == NULL ? 'O' : curthread->__state == 0 ?
	    (curthread->on_cpu ? 'O' : 'R') : curthread->__state & 0x3 ? 'S' :
	    curthread->__state & 0xc ? 'T' : curthread->__state & 0x30 ? 'Z' : 'W';
	pr_pri = curthread == NULL ? 0 : curthread->prio;
	pr_clname = curthread == NULL ? "TS" : curthread->policy == 0 ? "TS" :
	    curthread->policy == 1 ? "FIFO" : curthread->policy == 2 ? "RR" :
	    curthread->policy == 3 ? "BATCH" : curthread->policy == 5 ? "IDLE" : "DL";
	pr_onpro = cpu;
	pr_wchan = 0;
	pr_stype = 0;
	pr_bindpro = curthread == NULL ? -1 : curthread->nr_cpus_allowed == 1 ? cpu : -1;
	pr_bindpset = -1;
};

translator cpuinfo_t < struct firing_thread *F > {
	cpu_id = cpu;
	cpu_pset = 0;
	cpu_chip = 0;
	cpu_lgrp = 0;
};

inline psinfo_t *curpsinfo = xlate < psinfo_t * > ((struct firing_thread *)curthread);
inline lwpsinfo_t *curlwpsinfo = xlate < lwpsinfo_t * > ((struct firing_thread *)curthread);
inline cpuinfo_t *curcpu = xlate < cpuinfo_t * > ((struct firing_thread *)curthread);

/* socket(2)'s address families. */
inline int AF_UNSPEC = 0;
inline int AF_UNIX = 1;
inline int AF_LOCAL = 1;
inline int AF_INET = 2;
inline int AF_INET6 = 10;

/* A request's lowest byte says what is done: 1 writes, other odd ones write too. */
translator bufinfo_t < struct bio *B > {
	b_flags = (B->bi_opf & 1 ? B_WRITE : B_READ) | (B->bi_opf & (1 << 11) ? 0 : B_ASYNC) |
	    (B->bi_status ? B_ERROR : 0);
	b_bcount = B->bi_iter.bi_size;
	b_addr = (uintptr_t)B;
	b_blkno = B->bi_iter.bi_sector;
	b_lblkno = B->bi_iter.bi_sector;
	b_resid = B->bi_status ? B->bi_iter.bi_size : 0;
	b_bufsize = B->bi_iter.bi_size;
	b_iodone = (uintptr_t)B->bi_end_io;
	b_error = B->bi_status;
	b_edev = B->bi_bdev == NULL ? 0 : B->bi_bdev->bd_dev;
};

translator devinfo_t < struct bio *B > {
	dev_major = B->bi_bdev == NULL ? 0 : B->bi_bdev->bd_dev >> 20;
	dev_minor = B->bi_bdev == NULL ? 0 : B->bi_bdev->bd_dev & 0xfffff;
	dev_instance = B->bi_bdev == NULL ? 0 : B->bi_bdev->bd_dev & 0xfffff;
	dev_name = B->bi_bdev == NULL ? "nfs" : stringof(B->bi_bdev->bd_disk->disk_name);
	dev_statname = B->bi_bdev == NULL ? "nfs" :
	    stringof(B->bi_bdev->bd_device.kobj.name);
	dev_pathname = B->bi_bdev == NULL ? "<nfs>" :
	    strjoin("/dev/", stringof(B->bi_bdev->bd_device.kobj.name));
};

/*
 * The path of a directory entry. D has no loops, so the way up is taken in steps: from an entry to its
 * parent, at a mount's top to where it is mounted. What is higher up than twelve steps is "...".
 */
this struct dentry *__at;
this struct mount *__in;
this string __walked;
this string __whole;
inline int __is_top = this->__at == this->__in->mnt.mnt_root;
inline int __has_no_parent = this->__at == this->__at->d_parent;
inline string __to_parent =
    (this->__walked = strjoin("/", strjoin(stringof(this->__at->d_name.name), this->__walked)),
    this->__at = this->__at->d_parent, this->__walked);
inline string __step = __is_top ?
    (this->__at = this->__in->mnt_mountpoint, this->__in = this->__in->mnt_parent, this->__walked) :
    __has_no_parent ? this->__walked : __to_parent;
inline string __walk = (this->__walked = "",
    __step, __step, __step, __step, __step, __step,
    __step, __step, __step, __step, __step, __step,
    this->__walked == "" ? __is_top ? "/" : "<unknown>" :
    strjoin(__is_top || __has_no_parent ? "" : "...", this->__walked));

/* The path within its file system, wherever that is mounted. */
inline string __step_inside = __has_no_parent ? this->__walked : __to_parent;
inline string __walk_inside = (this->__walked = "",
    __step_inside, __step_inside, __step_inside, __step_inside, __step_inside, __step_inside,
    __step_inside, __step_inside, __step_inside, __step_inside, __step_inside, __step_inside,
    this->__walked == "" ? "/" : strjoin(__has_no_parent ? "" : "...", this->__walked));

inline struct mount *__mount[struct vfsmount *M] =
    (struct mount *)((uintptr_t)M - offsetof(struct mount, mnt));
inline string __path[struct dentry *D, struct vfsmount *M] =
    (this->__at = D, this->__in = __mount[M], __walk);

translator fileinfo_t < struct file *F > {
	fi_name = F == NULL ? "<none>" : stringof(F->f_path.dentry->d_name.name);
	fi_dirname = F == NULL ? "<none>" : (this->__whole = __path[F->f_path.dentry, F->f_path.mnt],
	    this->__whole == "<unknown>" ? "<unknown>" : dirname(this->__whole));
	fi_pathname = F == NULL ? "<none>" : __path[F->f_path.dentry, F->f_path.mnt];
	fi_mount = F == NULL ? "<none>" : (this->__in = __mount[F->f_path.mnt],
	    this->__at = this->__in->mnt_mountpoint, this->__in = this->__in->mnt_parent, __walk);
	fi_offset = F == NULL ? 0 : F->f_pos;
	fi_fs = F == NULL ? "<none>" : stringof(F->f_inode->i_sb->s_type->name);
	fi_oflags = F == NULL ? 0 : F->f_flags;
};

/*
 * The file that a transfer is for: the first page's, of which the block layer knows no more. A page
 * behind a folio's first says (by an odd number) where that is. Pages of a block device itself, of
 * no file (an odd mapping: a process's memory) and requests without data have none.
 */
inline struct page *__bio_tail[struct bio *B] =
    B->bi_io_vec == NULL ? (struct page *)NULL : B->bi_io_vec->bv_page;
inline struct page *__bio_page[struct bio *B] = __bio_tail[B] == NULL ? (struct page *)NULL :
    __bio_tail[B]->compound_head & 1 ?
    (struct page *)(__bio_tail[B]->compound_head - 1) : __bio_tail[B];
inline struct inode *__bio_inode[struct bio *B] = __bio_page[B] == NULL ||
    __bio_page[B]->mapping == NULL || (uintptr_t)__bio_page[B]->mapping & 3 ?
    (struct inode *)NULL : __bio_page[B]->mapping->host;
inline struct dentry *__inode_dentry[struct inode *I] =
    I == NULL || I->i_dentry.first == NULL ? (struct dentry *)NULL :
    (struct dentry *)((uintptr_t)I->i_dentry.first - offsetof(struct dentry, d_u));

translator fileinfo_t < struct bio *B > {
	fi_name = __inode_dentry[__bio_inode[B]] == NULL ? "<none>" :
	    stringof(__inode_dentry[__bio_inode[B]]->d_name.name);
	fi_dirname = (this->__at = __inode_dentry[__bio_inode[B]], this->__at == NULL ? "<none>" :
	    dirname(__walk_inside));
	fi_pathname = (this->__at = __inode_dentry[__bio_inode[B]], this->__at == NULL ? "<none>" :
	    __walk_inside);
	/* A transfer is a file system's, not a mount's. */
	fi_mount = __bio_inode[B] == NULL ? "<none>" : "<unknown>";
	fi_offset = __bio_page[B] == NULL ? 0 : __bio_page[B]->index << 12;
	fi_fs = __bio_inode[B] == NULL ? "<none>" :
	    stringof(__bio_inode[B]->i_sb->s_type->name);
	fi_oflags = 0;
};

/*
 * progenyof(p): whether process p is the current one or one of its ancestors, up to sixteen
 * generations back. The first task of all is its own parent, so the way up needs no test for its end.
 * BEGIN and END have no kernel structure, but know their process and its parent.
 */
inline struct task_struct *__fourth_ancestor[struct task_struct *T] =
    T->real_parent->real_parent->real_parent->real_parent;
inline int __in_four_generations[struct task_struct *T, int p] = T->tgid == p ||
    T->real_parent->tgid == p || T->real_parent->real_parent->tgid == p ||
    T->real_parent->real_parent->real_parent->tgid == p;
inline int __progenyof[int p] = p == pid || p == ppid || curthread != NULL && (
    __in_four_generations[curthread, p] ||
    __in_four_generations[__fourth_ancestor[curthread], p] ||
    __in_four_generations[__fourth_ancestor[__fourth_ancestor[curthread]], p] ||
    __in_four_generations[__fourth_ancestor[__fourth_ancestor[__fourth_ancestor[curthread]]], p] ||
    __fourth_ancestor[__fourth_ancestor[__fourth_ancestor[__fourth_ancestor[curthread]]]]->tgid == p);

/*
 * An open file of the current process, by descriptor; none if there is none of that number, or no
 * kernel structure of the process at hand, as in BEGIN and END.
 */
inline struct file *__getf[int fd] = fd >= 0 && curthread != NULL && curthread->files != NULL &&
    fd < (int)curthread->files->fdt->max_fds ?
    curthread->files->fdt->fd[fd] : (struct file *)NULL;
inline fileinfo_t fds[int fd] = xlate < fileinfo_t > (__getf[fd]);

/* The current process's working directory and root, "<none>" in BEGIN and END. */
inline string cwd = curthread == NULL ? "<none>" :
    __path[curthread->fs->pwd.dentry, curthread->fs->pwd.mnt];
inline string root = curthread == NULL ? "<none>" :
    __path[curthread->fs->root.dentry, curthread->fs->root.mnt];

/*
 * What the process had in its registers when it entered the kernel: struct pt_regs lies at the end of
 * the thread's kernel stack of 16 KiB, below the two words that kernels with FRED keep there.
 */
inline uint64_t __uregs[int at] =
    *(uint64_t *)((uintptr_t)curthread->stack + 16384 - sizeof (struct pt_regs) + at);
inline uint64_t __uregs_fred[int at] =
    *(uint64_t *)((uintptr_t)curthread->stack + 16384 - sizeof (struct fred_frame) + at);

/* fi_oflags, and open(2)'s flags. */
inline int O_ACCMODE = 0003;
inline int O_RDONLY = 00;
inline int O_WRONLY = 01;
inline int O_RDWR = 02;
inline int O_CREAT = 0100;
inline int O_EXCL = 0200;
inline int O_NOCTTY = 0400;
inline int O_TRUNC = 01000;
inline int O_APPEND = 02000;
inline int O_NONBLOCK = 04000;
inline int O_NDELAY = 04000;
inline int O_DSYNC = 010000;
inline int O_DIRECT = 040000;
inline int O_LARGEFILE = 0100000;
inline int O_DIRECTORY = 0200000;
inline int O_NOFOLLOW = 0400000;
inline int O_CLOEXEC = 02000000;
inline int O_SYNC = 04010000;
