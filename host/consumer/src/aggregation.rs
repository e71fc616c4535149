//! The consumer's aggregations: what all slots of all machines have counted, put together.
//!
//! The engine keeps a table a slot and empties it at every snapshot, so that a snapshot brings
//! *changes*; they are merged here and stay until `clear()` or `trunc()`. Everything that
//! `printa()`, `clear()`, `trunc()` and `normalize()` see is the last snapshot's state, not that
//! of the firing (as in dtrace(1)).
//!
//! A key with an address in it (`stack()`, `sym()`) means something on one machine only, so it
//! also holds the machine; any other key is merged over all machines.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use dlang::compiled::{AggFunction, AggId, Aggregation, ValueKind};
use host::{arena::key::KeyPart, ids::MachineId};

use crate::format::{
    Datum,
    aggregate::{Value, words_of},
    quantize::{bucket_value, log_bounds},
};

/// A key: the bytes of its elements, and the machine if an element is an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    /// Strings without their NUL.
    elements: Box<[Box<[u8]>]>,
    /// Whose addresses they are.
    machine: Option<MachineId>,
}

/// The value under one key.
#[derive(Clone, Debug)]
struct Entry {
    words: Vec<i64>,
    normal: u64,
}

/// One aggregation of the script.
#[derive(Clone, Debug)]
struct Table {
    definition: Aggregation,
    entries: HashMap<Key, Entry>,
    /// `printa()` has shown it, so that it is not printed at exit.
    printed: bool,
}

/// How output is ordered: the `aggsort*` options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SortOrder {
    /// `aggsortkey`: by key and not by value.
    pub by_key: bool,
    /// `aggsortrev`: largest first.
    pub reverse: bool,
    /// `aggsortkeypos`: the first element of the key to compare.
    pub key_position: usize,
    /// `aggsortpos`: which of several aggregations decides.
    pub position: usize,
}

/// A change the engine reports does not fit the aggregation it names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// No such aggregation.
    #[error("a snapshot names aggregation {0}, which the script does not have")]
    Unknown(u32),
    /// Key or value are not what the script says.
    #[error("a snapshot's entry for @{0} does not fit it")]
    Misfit(String),
}

/// One printed line: the key and a value for each aggregation asked for.
#[derive(Debug)]
pub struct Line<'a> {
    /// Whose addresses the key holds.
    pub machine: Option<MachineId>,
    /// The key's elements.
    pub key: Vec<Datum<'a>>,
    /// One for each aggregation, in the order asked for.
    pub values: Vec<Value<'a>>,
}

/// All aggregations of a session.
#[derive(Clone, Debug, Default)]
pub struct Aggregations {
    tables: BTreeMap<AggId, Table>,
    zeroes: BTreeMap<AggId, Vec<i64>>,
}

impl Aggregations {
    /// An aggregation's name, without its `@`; empty if it is not known.
    #[must_use]
    pub fn name(&self, id: AggId) -> &str {
        self.tables.get(&id).map_or("", |table| &table.definition.name)
    }

    /// Makes an aggregation known; knowing it already changes nothing.
    pub fn define(&mut self, definition: &Aggregation) {
        self.zeroes.entry(definition.id).or_insert_with(|| vec![0; words_of(definition.function)]);
        self.tables.entry(definition.id).or_insert_with(|| Table {
            definition: definition.clone(),
            entries: HashMap::new(),
            printed: false,
        });
    }

    /// Adds what a slot has counted since the last snapshot: the engine's key and words. An
    /// address that names a symbol or module is first moved to where that starts (`anchor`), so
    /// that all addresses of one function are one key.
    ///
    /// # Errors
    /// [`MergeError`] if it does not fit; nothing is changed then.
    pub fn merge(
        &mut self,
        id: AggId,
        machine: MachineId,
        key: &[KeyPart],
        words: &[u64],
        anchor: &dyn Fn(&ValueKind, u64) -> u64,
    ) -> Result<(), MergeError> {
        let table = self.tables.get_mut(&id).ok_or(MergeError::Unknown(id.0))?;
        let function = table.definition.function;
        let misfit = || MergeError::Misfit(table.definition.name.clone());
        let words = value_words(function, words).ok_or_else(misfit)?;
        let elements = table.encode(key, anchor).ok_or_else(misfit)?;
        let key = Key { elements, machine: table.has_addresses().then_some(machine) };
        match table.entries.get_mut(&key) {
            Some(entry) => entry.add(function, &words),
            None => drop(table.entries.insert(key, Entry { words, normal: 1 })),
        }
        Ok(())
    }

    /// The processes whose addresses a key of the engine's holds: what is recorded of a user's
    /// address or stack begins with the process.
    pub fn processes(&self, id: AggId, key: &[KeyPart]) -> impl Iterator<Item = u32> {
        let infos = self.tables.get(&id).map_or(&[][..], |table| &table.definition.keys);
        infos.iter().zip(key).filter_map(|(info, part)| match (&info.kind, part) {
            (
                ValueKind::UserStack { .. }
                | ValueKind::UserSymbol
                | ValueKind::UserModule
                | ValueKind::UserAddress,
                KeyPart::Bytes(bytes),
            ) => {
                let pid = u64::from_le_bytes(*bytes.first_chunk()?);
                u32::try_from(pid).ok()
            }
            _ => None,
        })
    }

    /// `clear()`: keys stay, values become zero. A later minimum or maximum is that of the new
    /// values and this zero, as in dtrace(1).
    pub fn clear(&mut self, id: AggId) {
        self.entries_mut(id).for_each(|entry| entry.words.fill(0));
    }

    /// `normalize()`; a factor of 0 is ignored, as there is nothing to show then.
    pub fn normalize(&mut self, id: AggId, factor: u64) {
        if factor > 0 {
            self.entries_mut(id).for_each(|entry| entry.normal = factor);
        }
    }

    /// `denormalize()`.
    pub fn denormalize(&mut self, id: AggId) {
        self.normalize(id, 1);
    }

    fn entries_mut(&mut self, id: AggId) -> impl Iterator<Item = &mut Entry> {
        self.tables.get_mut(&id).into_iter().flat_map(|table| table.entries.values_mut())
    }

    /// `trunc()`: keeps the `keep` largest values, or the smallest if it is negative.
    pub fn trunc(&mut self, id: AggId, keep: i64) {
        let Some(table) = self.tables.get_mut(&id) else { return };
        let order = SortOrder { reverse: keep >= 0, ..SortOrder::default() };
        let kept = usize::try_from(keep.unsigned_abs()).unwrap_or(usize::MAX);
        let mut keys: Vec<Key> = table.entries.keys().cloned().collect();
        keys.sort_by(|a, b| order.reversed(table.compare_values(a, b)));
        for key in keys.into_iter().skip(kept) {
            table.entries.remove(&key);
        }
    }

    /// Marks aggregations that were printed together as shown; not if there was nothing to show.
    pub fn mark_printed(&mut self, ids: &[AggId]) {
        let filled = |id| self.tables.get(id).is_some_and(|table| !table.entries.is_empty());
        if !ids.iter().any(filled) {
            return;
        }
        for id in ids {
            if let Some(table) = self.tables.get_mut(id) {
                table.printed = true;
            }
        }
    }

    /// The aggregations that hold something and were never printed, in the order that dtrace(1)
    /// prints them at exit.
    #[must_use]
    pub fn unprinted(&self, order: &SortOrder) -> Vec<AggId> {
        let open = |table: &&Table| !table.printed && !table.entries.is_empty();
        let mut ids: Vec<AggId> =
            self.tables.values().filter(open).map(|table| table.definition.id).collect();
        if order.reverse {
            ids.reverse();
        }
        ids
    }

    /// The lines that `printa()` prints: the union of the aggregations' keys, gaps filled with
    /// zeroes, sorted.
    #[must_use]
    pub fn lines(&self, ids: &[AggId], order: &SortOrder) -> Vec<Line<'_>> {
        let Some(first) = ids.first().and_then(|id| self.tables.get(id)) else {
            return Vec::new();
        };
        let keys: BTreeSet<&Key> = ids
            .iter()
            .filter_map(|id| self.tables.get(id))
            .flat_map(|table| table.entries.keys())
            .collect();
        let mut keys: Vec<&Key> = keys.into_iter().collect();
        // Sorting starts with the aggregation at `aggsortpos` and goes on round the list.
        let start = if order.position < ids.len() { order.position } else { 0 };
        let ranked: Vec<AggId> = ids.iter().cycle().skip(start).take(ids.len()).copied().collect();
        keys.sort_by(|a, b| {
            let by_key = || first.compare_keys(a, b, order.key_position);
            let by_value = || self.compare_by_values(&ranked, a, b);
            order.reversed(if order.by_key {
                by_key().then_with(by_value)
            } else {
                by_value().then_with(by_key)
            })
        });
        keys.into_iter().map(|key| self.line(ids, first, key)).collect()
    }

    fn compare_by_values(&self, ids: &[AggId], a: &Key, b: &Key) -> Ordering {
        ids.iter()
            .map(|&id| self.value(id, a).compare(&self.value(id, b)))
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    fn line<'a>(&'a self, ids: &[AggId], shape: &'a Table, key: &'a Key) -> Line<'a> {
        Line {
            machine: key.machine,
            key: shape.elements(key).collect(),
            values: ids.iter().map(|&id| self.value(id, key)).collect(),
        }
    }

    fn value(&self, id: AggId, key: &Key) -> Value<'_> {
        let table = self.tables.get(&id);
        let function = table.map_or(AggFunction::Count, |table| table.definition.function);
        match table.and_then(|table| table.entries.get(key)) {
            Some(entry) => Value { function, words: &entry.words, normal: entry.normal },
            None => {
                let words = self.zeroes.get(&id).map_or(&[][..], Vec::as_slice);
                Value { function, words, normal: 1 }
            }
        }
    }
}

impl Entry {
    fn add(&mut self, function: AggFunction, words: &[i64]) {
        match (function, self.words.as_mut_slice(), words) {
            (AggFunction::Min, [old], [new]) => *old = (*old).min(*new),
            (AggFunction::Max, [old], [new]) => *old = (*old).max(*new),
            (AggFunction::Stddev, [count, sum, low, high], [c, s, l, h]) => {
                *count = count.wrapping_add(*c);
                *sum = sum.wrapping_add(*s);
                let total = wide(*low, *high).wrapping_add(wide(*l, *h));
                (*low, *high) = split(total);
            }
            (_, old, new) => {
                for (old, new) in old.iter_mut().zip(new) {
                    *old = old.wrapping_add(*new);
                }
            }
        }
    }
}

fn wide(low: i64, high: i64) -> u128 {
    (u128::from(high.cast_unsigned()) << 64) | u128::from(low.cast_unsigned())
}

fn split(value: u128) -> (i64, i64) {
    let bytes = value.to_le_bytes();
    let half = |at: usize| {
        bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, i64::from_le_bytes)
    };
    (half(0), half(8))
}

impl SortOrder {
    fn reversed(&self, ordering: Ordering) -> Ordering {
        if self.reverse { ordering.reverse() } else { ordering }
    }
}

impl Table {
    fn has_addresses(&self) -> bool {
        self.definition.keys.iter().any(|key| {
            matches!(key.kind, ValueKind::Stack { .. } | ValueKind::Symbol | ValueKind::Module)
        })
    }

    fn elements<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = Datum<'a>> {
        let kinds = self.definition.keys.iter().map(|info| &info.kind);
        kinds.zip(&key.elements).map(|(kind, bytes)| Datum { kind, bytes })
    }

    /// The bytes of each element of a key; `None` if it is not a key of this aggregation.
    fn encode(
        &self,
        key: &[KeyPart],
        anchor: &dyn Fn(&ValueKind, u64) -> u64,
    ) -> Option<Box<[Box<[u8]>]>> {
        let infos = &self.definition.keys;
        if key.len() != infos.len() {
            return None;
        }
        let encoded = infos.iter().zip(key).map(|(info, part)| match (part, &info.kind) {
            (KeyPart::Scalar(address), kind @ (ValueKind::Symbol | ValueKind::Module)) => {
                Some(Box::from(anchor(kind, *address).to_le_bytes()))
            }
            (KeyPart::Scalar(value), _) => {
                let size = usize::try_from(info.size).ok()?;
                Some(Box::from(value.to_le_bytes().get(..size)?))
            }
            (KeyPart::Bytes(bytes), kind @ (ValueKind::String | ValueKind::CharArray)) => {
                let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
                let mut text = bytes.get(..end)?.to_vec();
                // Printed without a format, an array goes by its size.
                if matches!(kind, ValueKind::CharArray) {
                    text.resize(usize::try_from(info.size).ok()?.max(end), 0);
                }
                Some(text.into())
            }
            (KeyPart::Bytes(bytes), _) => Some(bytes.as_slice().into()),
        });
        encoded.collect()
    }

    /// By value, then by key.
    fn compare_values(&self, a: &Key, b: &Key) -> Ordering {
        let value = |key| {
            let entry: Option<&Entry> = self.entries.get(key);
            let words = entry.map_or(&[][..], |entry| entry.words.as_slice());
            Value { function: self.definition.function, words, normal: 1 }
        };
        value(a).compare(&value(b)).then_with(|| self.compare_keys(a, b, 0))
    }

    /// Element by element from `position` on, and round: integers by value without sign, all
    /// else byte by byte.
    fn compare_keys(&self, a: &Key, b: &Key, position: usize) -> Ordering {
        let elements = |key| -> Vec<Datum<'_>> { self.elements(key).collect() };
        let (a_elements, b_elements) = (elements(a), elements(b));
        let count = a_elements.len();
        let start = if position < count { position } else { 0 };
        let compared = a_elements.iter().zip(&b_elements).cycle().skip(start).take(count);
        for (x, y) in compared {
            let text = matches!(x.kind, ValueKind::String | ValueKind::CharArray);
            let ordering = match (x.unsigned(), y.unsigned()) {
                (Some(x), Some(y)) if !text => x.cmp(&y),
                _ => x.bytes.cmp(y.bytes),
            };
            if ordering.is_ne() {
                return ordering;
            }
        }
        a.machine.cmp(&b.machine)
    }
}

impl Value<'_> {
    /// Orders two values of the same aggregation, without their normalisation: numbers by size,
    /// distributions by the sum of what they hold, then by what they hold at zero.
    #[must_use]
    pub fn compare(&self, other: &Value<'_>) -> Ordering {
        let plain = |value: &Value<'_>| Value { normal: 1, ..*value }.number();
        match (plain(self), plain(other)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => self.weight().cmp(&other.weight()).then_with(|| self.zero().cmp(&other.zero())),
        }
    }

    fn weight(&self) -> i128 {
        let bounds = self.bounds();
        self.words.iter().zip(bounds).fold(0_i128, |sum, (&count, bound)| {
            sum.saturating_add(i128::from(count).saturating_mul(bound))
        })
    }

    /// What each bucket counts as when distributions are compared.
    fn bounds(&self) -> Vec<i128> {
        match self.function {
            AggFunction::Quantize => {
                (0..self.words.len()).map(|bucket| i128::from(bucket_value(bucket))).collect()
            }
            AggFunction::Lquantize { base, levels, step } => {
                let (base, step) = (i128::from(base), i128::from(step));
                let inner = (0..i128::from(levels)).map(|level| base + level * step);
                let end = base + i128::from(levels) * step + 1;
                std::iter::once(base - 1).chain(inner).chain([end]).collect()
            }
            _ => {
                let bounds = log_bounds(self.function, self.words.len()).unwrap_or_default();
                let first = bounds.first().map(|bound| i128::from(*bound) - 1);
                first.into_iter().chain(bounds.iter().map(|bound| i128::from(*bound))).collect()
            }
        }
    }

    /// What it holds at zero; of `llquantize()`, in its first bucket.
    fn zero(&self) -> i64 {
        if matches!(self.function, AggFunction::Llquantize { .. }) {
            return self.words.first().copied().unwrap_or(0);
        }
        let at = self.bounds().iter().position(|&bound| bound == 0);
        at.and_then(|at| self.words.get(at)).copied().unwrap_or(0)
    }
}

/// The words that are the value: the engine puts the argument of `lquantize()` and
/// `llquantize()` in front. `None` if they are not this function's.
fn value_words(function: AggFunction, words: &[u64]) -> Option<Vec<i64>> {
    let own = match function {
        AggFunction::Lquantize { .. } | AggFunction::Llquantize { .. } => {
            let (arg, rest) = words.split_first()?;
            (*arg == function.arg()).then_some(rest)?
        }
        _ => words,
    };
    (own.len() == words_of(function)).then(|| own.iter().map(|w| w.cast_signed()).collect())
}

#[cfg(test)]
mod tests {
    use dlang::compiled::KeyInfo;

    use super::*;

    const A: AggId = AggId(1);
    const B: AggId = AggId(2);
    const HOST: MachineId = MachineId(0);

    fn definition(id: AggId, function: AggFunction, keys: Vec<KeyInfo>) -> Aggregation {
        Aggregation { id, name: format!("a{}", id.0), function, keys }
    }

    fn int_key() -> KeyInfo {
        KeyInfo { kind: ValueKind::Integer { signed: true }, size: 4 }
    }

    fn with(functions: &[(AggId, AggFunction)]) -> Aggregations {
        let mut all = Aggregations::default();
        for &(id, function) in functions {
            all.define(&definition(id, function, vec![int_key()]));
        }
        all
    }

    fn add(all: &mut Aggregations, id: AggId, key: u32, words: &[i64]) {
        merge(all, id, HOST, KeyPart::Scalar(u64::from(key)), words).unwrap();
    }

    fn merge(
        all: &mut Aggregations,
        id: AggId,
        machine: MachineId,
        key: KeyPart,
        words: &[i64],
    ) -> Result<(), MergeError> {
        let words: Vec<u64> = words.iter().map(|w| w.cast_unsigned()).collect();
        all.merge(id, machine, &[key], &words, &|_, address| address)
    }

    fn shown(all: &Aggregations, ids: &[AggId], order: &SortOrder) -> Vec<(i64, Vec<i64>)> {
        all.lines(ids, order)
            .iter()
            .map(|line| {
                let values = line.values.iter().map(|v| v.number().unwrap()).collect();
                (line.key[0].integer(), values)
            })
            .collect()
    }

    const PLAIN: SortOrder =
        SortOrder { by_key: false, reverse: false, key_position: 0, position: 0 };

    /// Slots' counts are put together by function.
    #[test]
    fn snapshots_are_merged_by_function() {
        for (function, words, expected) in [
            (AggFunction::Count, [vec![2], vec![3]], 5),
            (AggFunction::Sum, [vec![-2], vec![3]], 1),
            (AggFunction::Min, [vec![4], vec![-3]], -3),
            (AggFunction::Max, [vec![4], vec![-3]], 4),
            (AggFunction::Avg, [vec![1, 10], vec![3, 10]], 5),
        ] {
            let mut all = with(&[(A, function)]);
            words.iter().for_each(|words| add(&mut all, A, 7, words));
            assert_eq!(shown(&all, &[A], &PLAIN), [(7, vec![expected])], "{function:?}");
        }
    }

    /// Lines are sorted by value, then by key; the options turn that round.
    #[test]
    fn lines_are_sorted_by_value_then_key() {
        let mut all = with(&[(A, AggFunction::Sum)]);
        for (key, value) in [(3, 10), (1, 20), (2, 10), (9, -1)] {
            add(&mut all, A, key, &[value]);
        }
        let keys = |order: &SortOrder| -> Vec<i64> {
            shown(&all, &[A], order).into_iter().map(|(key, _)| key).collect()
        };
        assert_eq!(keys(&PLAIN), [9, 2, 3, 1]);
        assert_eq!(keys(&SortOrder { reverse: true, ..PLAIN }), [1, 3, 2, 9]);
        assert_eq!(keys(&SortOrder { by_key: true, ..PLAIN }), [1, 2, 3, 9]);
    }

    /// Several aggregations give the union of their keys with gaps filled by zero, sorted by the
    /// first, or by the one at aggsortpos.
    #[test]
    fn several_aggregations_are_joined() {
        let mut all = with(&[(A, AggFunction::Count), (B, AggFunction::Sum)]);
        add(&mut all, A, 1, &[5]);
        add(&mut all, A, 2, &[1]);
        add(&mut all, B, 2, &[30]);
        add(&mut all, B, 3, &[20]);
        let joined = shown(&all, &[A, B], &PLAIN);
        assert_eq!(joined, [(3, vec![0, 20]), (2, vec![1, 30]), (1, vec![5, 0])]);
        let second = shown(&all, &[A, B], &SortOrder { position: 1, ..PLAIN });
        assert_eq!(second, [(1, vec![5, 0]), (3, vec![0, 20]), (2, vec![1, 30])]);
        assert_eq!(shown(&all, &[A, A], &PLAIN)[1], (1, vec![5, 5]));
    }

    /// clear() keeps keys at zero (an average too), which a later minimum is compared with.
    #[test]
    fn clear_keeps_keys() {
        let mut all = with(&[(A, AggFunction::Avg), (B, AggFunction::Min)]);
        add(&mut all, A, 1, &[2, 20]);
        add(&mut all, B, 1, &[3]);
        all.clear(A);
        all.clear(B);
        assert_eq!(shown(&all, &[A, B], &PLAIN), [(1, vec![0, 0])]);
        add(&mut all, B, 1, &[9]);
        assert_eq!(shown(&all, &[B], &PLAIN), [(1, vec![0])]);
        add(&mut all, B, 1, &[-9]);
        assert_eq!(shown(&all, &[B], &PLAIN), [(1, vec![-9])]);
    }

    /// trunc() keeps the largest, or with a negative count the smallest; without one nothing.
    #[test]
    fn trunc_keeps_an_end() {
        let filled = || {
            let mut all = with(&[(A, AggFunction::Count)]);
            (1..=5).for_each(|key| add(&mut all, A, key, &[i64::from(key) * 10]));
            all
        };
        for (keep, expected) in
            [(2, vec![4, 5]), (-2, vec![1, 2]), (0, vec![]), (9, vec![1, 2, 3, 4, 5])]
        {
            let mut all = filled();
            all.trunc(A, keep);
            let keys: Vec<i64> =
                shown(&all, &[A], &PLAIN).into_iter().map(|(key, _)| key).collect();
            assert_eq!(keys, expected, "trunc(@, {keep})");
        }
    }

    /// Keys with addresses are not mixed over machines, all others are.
    #[test]
    fn only_addresses_belong_to_a_machine() {
        let mut all = Aggregations::default();
        let stack = KeyInfo { kind: ValueKind::Stack { frames: 1 }, size: 8 };
        all.define(&definition(A, AggFunction::Count, vec![stack]));
        all.define(&definition(B, AggFunction::Count, vec![int_key()]));
        for machine in [MachineId(1), MachineId(2)] {
            let frames = KeyPart::Bytes(8_u64.to_le_bytes().to_vec());
            merge(&mut all, A, machine, frames, &[1]).unwrap();
            merge(&mut all, B, machine, KeyPart::Scalar(8), &[1]).unwrap();
        }
        assert_eq!(all.lines(&[A], &PLAIN).len(), 2);
        assert_eq!(all.lines(&[B], &PLAIN).len(), 1);
    }

    /// What lay behind a string's NUL makes no new key.
    #[test]
    fn strings_end_at_their_nul() {
        let mut all = Aggregations::default();
        let text = KeyInfo { kind: ValueKind::String, size: 4 };
        all.define(&definition(A, AggFunction::Count, vec![text]));
        for text in [&b"a\0x"[..], b"a\0y", b"a"] {
            merge(&mut all, A, HOST, KeyPart::Bytes(text.to_vec()), &[1]).unwrap();
        }
        assert_eq!(all.lines(&[A], &PLAIN).len(), 1);
    }

    /// Entries that do not fit their aggregation are refused.
    #[test]
    fn misfits_are_refused() {
        let mut all = with(&[(A, AggFunction::Avg)]);
        let key = || KeyPart::Scalar(0);
        assert_eq!(merge(&mut all, B, HOST, key(), &[1]), Err(MergeError::Unknown(2)));
        assert!(merge(&mut all, A, HOST, key(), &[1]).is_err());
        assert!(all.merge(A, HOST, &[], &[1, 1], &|_, a| a).is_err());
        assert!(all.lines(&[A], &PLAIN).is_empty());
    }

    /// The engine's first word of `lquantize()` is its argument, which must be the script's.
    #[test]
    fn arguments_in_front_are_checked() {
        let function = AggFunction::Lquantize { base: 0, levels: 1, step: 5 };
        assert_eq!(value_words(function, &[function.arg(), 1, 2, 3]), Some(vec![1, 2, 3]));
        assert_eq!(value_words(function, &[function.arg() + 1, 1, 2, 3]), None);
        assert_eq!(value_words(function, &[1, 2, 3]), None);
    }

    /// Only what holds something and was never shown is printed at exit.
    #[test]
    fn unprinted_are_remembered() {
        let mut all = with(&[(A, AggFunction::Count), (B, AggFunction::Count)]);
        assert!(all.unprinted(&PLAIN).is_empty());
        // Shown while it was empty: not shown.
        all.mark_printed(&[A]);
        add(&mut all, A, 1, &[1]);
        add(&mut all, B, 1, &[1]);
        assert_eq!(all.unprinted(&SortOrder { reverse: true, ..PLAIN }), [B, A]);
        all.mark_printed(&[A]);
        assert_eq!(all.unprinted(&PLAIN), [B]);
    }

    /// Distributions are ordered by the sum of what they hold.
    #[test]
    fn distributions_compare_by_their_sum() {
        let words = |bucket: usize| {
            let mut words = vec![0_i64; words_of(AggFunction::Quantize)];
            words[bucket] = 1;
            words
        };
        let (small, large) = (words(64), words(70));
        let value = |words| Value { function: AggFunction::Quantize, words, normal: 1 };
        assert_eq!(value(&small[..]).compare(&value(&large[..])), Ordering::Less);
    }
}
