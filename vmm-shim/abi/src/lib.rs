//! The hypercall descriptor and its calls: the one description of what guest and host say to each
//! other, from which the C header of the guest modules is made.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
