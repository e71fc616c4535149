//! Builds the C walk with the system's compiler, -O2, for comparison.

fn main() {
    println!("cargo::rerun-if-changed=c/walk.c");
    cc::Build::new().file("c/walk.c").opt_level(2).compile("plainwalk");
}
