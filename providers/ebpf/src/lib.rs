//! D in the kernel: a program's clauses, translated to eBPF, that work on the session's arena.
//!
//! [`site`] says what a program is made for; [`sys`] is the system call.

pub mod site;
pub mod sys;
