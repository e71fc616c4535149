//! Which numbers a comparison with a constant is true of: one run of numbers, or all but one run.
//!
//! Every comparison of DIF, signed or not, cuts the circle of 64-bit numbers in two places. Asking
//! on which side a number lies takes one subtraction and one comparison, whichever it was.

use crate::decode::Code;

/// A run of numbers, round the circle's end if need be, or all numbers outside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    first: u64,
    /// So many numbers come behind the first.
    more: u64,
    outside: bool,
}

impl Interval {
    /// All numbers.
    pub const ALL: Self = Self { first: 0, more: u64::MAX, outside: false };

    /// All numbers but 0: what is true.
    pub const TRUE: Self = Self { first: 0, more: 0, outside: true };

    /// Whether a number is one of them.
    #[inline(always)]
    #[must_use]
    pub const fn contains(self, number: u64) -> bool {
        (number.wrapping_sub(self.first) <= self.more) != self.outside
    }

    const fn run(first: u64, last: u64) -> Self {
        Self { first, more: last.wrapping_sub(first), outside: false }
    }

    /// All other numbers.
    #[must_use]
    pub const fn others(self) -> Self {
        Self { outside: !self.outside, ..self }
    }

    /// The numbers that make a conditional branch when they are compared with `right`; a branch
    /// that is not conditional is always taken.
    pub(crate) const fn of_branch(branch: Code, right: u64) -> Self {
        const LEAST: u64 = i64::MIN.cast_unsigned();
        match branch {
            Code::Be => Self::run(right, right),
            Code::Bne => Self::run(right, right).others(),
            Code::Bgeu => Self::run(right, u64::MAX),
            Code::Blu => Self::run(right, u64::MAX).others(),
            Code::Bleu => Self::run(0, right),
            Code::Bgu => Self::run(0, right).others(),
            Code::Bge => Self::run(right, LEAST - 1),
            Code::Bl => Self::run(right, LEAST - 1).others(),
            Code::Ble => Self::run(LEAST, right),
            Code::Bg => Self::run(LEAST, right).others(),
            _ => Self::ALL,
        }
    }

    /// As [`Interval::of_branch`] behind a `tst`: whether a number is 0 is compared, not the number.
    pub(crate) const fn of_branch_on_tst(branch: Code) -> Self {
        let taken = Self::of_branch(branch, 0);
        match (taken.contains(0), taken.contains(1)) {
            (true, true) => Self::ALL,
            (true, false) => Self::TRUE.others(),
            (false, true) => Self::TRUE,
            (false, false) => Self::ALL.others(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Numbers where comparisons change their minds.
    fn number() -> impl Strategy<Value = u64> {
        let edges = vec![0, 1, i64::MAX.cast_unsigned(), i64::MIN.cast_unsigned(), u64::MAX];
        (proptest::sample::select(edges), -2_i64..3, any::<u64>(), any::<bool>()).prop_map(
            |(edge, off, any, wild)| if wild { any } else { edge.wrapping_add_signed(off) },
        )
    }

    fn compared(branch: Code, left: u64, right: u64) -> bool {
        let (signed_left, signed_right) = (left.cast_signed(), right.cast_signed());
        match branch {
            Code::Be => left == right,
            Code::Bne => left != right,
            Code::Bg => signed_left > signed_right,
            Code::Bgu => left > right,
            Code::Bge => signed_left >= signed_right,
            Code::Bgeu => left >= right,
            Code::Bl => signed_left < signed_right,
            Code::Blu => left < right,
            Code::Ble => signed_left <= signed_right,
            Code::Bleu => left <= right,
            _ => true,
        }
    }

    const BRANCHES: [Code; 11] = [
        Code::Ba,
        Code::Be,
        Code::Bne,
        Code::Bg,
        Code::Bgu,
        Code::Bge,
        Code::Bgeu,
        Code::Bl,
        Code::Blu,
        Code::Ble,
        Code::Bleu,
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        /// A number lies in a branch's interval if the comparison is true of it.
        #[test]
        fn intervals_are_what_comparisons_say(left in number(), right in number()) {
            for branch in BRANCHES {
                let interval = Interval::of_branch(branch, right);
                prop_assert_eq!(interval.contains(left), compared(branch, left, right), "{:?}", branch);
                prop_assert_eq!(interval.others().contains(left), !interval.contains(left));
                let tst = compared(branch, u64::from(left != 0), 0);
                prop_assert_eq!(Interval::of_branch_on_tst(branch).contains(left), tst, "{:?}", branch);
            }
        }
    }
}
