//! DTrace's globs: `*`, `?`, `[a-z]`, `[!a-z]` and `\` for the next character as it is.
//!
//! An empty pattern matches everything, as blank fields of probe descriptions do. Matching never
//! takes more than pattern times text steps, whatever the pattern.

/// Whether a pattern has a character that makes it more than a plain name.
#[must_use]
pub fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '\\'])
}

/// Whether `text` matches the whole of `pattern`.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    if pattern.is_empty() {
        return true;
    }
    if !is_glob(pattern) {
        return pattern == text;
    }
    glob(pattern.as_bytes(), text.as_bytes())
}

/// Remembers the last `*` and, where what follows it fails, lets it take one more byte.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    loop {
        match (pattern.get(p), text.get(t)) {
            (Some(b'*'), _) => {
                p += 1;
                star = Some((p, t));
                continue;
            }
            (None, None) => return true,
            (Some(_), Some(&byte)) => {
                if let Some(next) = one(pattern, p, byte) {
                    (p, t) = (next, t + 1);
                    continue;
                }
            }
            _ => {}
        }
        match star {
            Some((after, from)) if from < text.len() => {
                (p, t) = (after, from + 1);
                star = Some((after, from + 1));
            }
            _ => return false,
        }
    }
}

/// Matches one byte with the pattern's element at `p`; where the next element starts.
fn one(pattern: &[u8], p: usize, byte: u8) -> Option<usize> {
    match *pattern.get(p)? {
        b'?' => Some(p + 1),
        b'\\' => match pattern.get(p + 1) {
            Some(&literal) => (literal == byte).then_some(p + 2),
            None => (byte == b'\\').then_some(p + 1),
        },
        b'[' => class(pattern, p + 1, byte),
        literal => (literal == byte).then_some(p + 1),
    }
}

/// Matches a byte with the class whose first element is at `p`; a class without an end matches
/// nothing.
fn class(pattern: &[u8], p: usize, byte: u8) -> Option<usize> {
    let negated = pattern.get(p) == Some(&b'!');
    let start = p + usize::from(negated);
    let mut at = start;
    let mut found = false;
    loop {
        let mut low = *pattern.get(at)?;
        if low == b']' && at > start {
            return (found != negated).then_some(at + 1);
        }
        if low == b'\\' {
            at += 1;
            low = *pattern.get(at)?;
        }
        let range = (pattern.get(at + 1) == Some(&b'-')).then(|| pattern.get(at + 2)).flatten();
        match range {
            Some(&high) if high != b']' => {
                found |= (low..=high).contains(&byte);
                at += 3;
            }
            _ => {
                found |= low == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The four forms of patterns match what the manual says.
    #[test]
    fn patterns_match_whole_names() {
        for (pattern, text, expected) in [
            ("", "anything", true),
            ("read", "read", true),
            ("read", "pread", false),
            ("*read", "pread", true),
            ("vm-*-0", "vm-web-0", true),
            ("vm-*-0", "vm-web-1", false),
            ("re?d", "read", true),
            ("re?d", "red", false),
            ("tick-[0-9]s", "tick-5s", true),
            ("tick-[!0-9]s", "tick-5s", false),
            ("[]a]", "]", true),
            ("[a-]", "-", true),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("[abc", "a", false),
            ("*", "", true),
            ("a*b*c", "aXbXbYc", true),
            ("a*b*c", "aXbXbY", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    proptest! {
        /// A name always matches itself with every character escaped, and between two stars.
        #[test]
        fn a_name_matches_itself(name in "[a-z*?\\[\\]\\\\_-]{1,20}") {
            let escaped: String = name.chars().flat_map(|c| ['\\', c]).collect();
            prop_assert!(matches(&escaped, &name));
            let within = format!("*{escaped}*");
            prop_assert!(matches(&within, &name));
        }

        /// No pattern makes matching hang or panic.
        #[test]
        fn any_pattern_ends(pattern in "[ab*?\\[\\]!\\\\-]{0,40}", text in "[ab]{0,200}") {
            let _ = matches(&pattern, &text);
        }
    }
}
