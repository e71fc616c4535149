//! What scripts mean, said as plainly as it can be: numbers are 64 bits, texts are bytes or nothing
//! (NULL), variables are maps. Written after the specification's description of each instruction
//! and subroutine. There are no addresses here, no scratch, no buffers and no interpreter.

use std::collections::BTreeMap;

use crate::script::{
    Action, BUILTINS, Binary, Clause, Expr, Firing, Func, Home, Kind, Reg, Relation, Script, Step,
    Var,
};

/// The session's `strsize`: no string operation looks further, and what is kept or recorded ends
/// with a NUL within it.
pub(crate) const STRSIZE: usize = 32;
/// How much memory the machine has, kernel's and process's alike.
pub(crate) const MEMORY: usize = 128;
/// Where the process's memory has a text.
pub(crate) const USER_TEXT: usize = 40;

/// The machine's memory.
pub(crate) fn memory(user: bool) -> [u8; MEMORY] {
    let mut bytes = std::array::from_fn(|at| {
        u8::try_from((at * 37 + 11) % 256).unwrap() ^ if user { 0x5a } else { 0 }
    });
    if user {
        let text = b"a text of the process's own, beyond strsize\0";
        bytes[USER_TEXT..USER_TEXT + text.len()].copy_from_slice(text);
    }
    bytes
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Number(u64),
    Text(Option<Vec<u8>>),
}

impl Value {
    /// What a variable or element holds before anything is stored: those that are made when they
    /// are first written are NULL until then, all others have their memory, of zeros, from the start.
    fn unset(kind: Kind, is_dynamic: bool) -> Self {
        match kind {
            Kind::Number => Self::Number(0),
            Kind::Text => Self::Text((!is_dynamic).then(Vec::new)),
        }
    }

    fn number(&self) -> u64 {
        match self {
            Self::Number(number) => *number,
            Self::Text(_) => panic!("a text where a number belongs"),
        }
    }

    /// What a variable keeps of it.
    fn kept(&self) -> Self {
        match self {
            Self::Text(Some(text)) => {
                Self::Text(Some(text[..text.len().min(STRSIZE - 1)].to_vec()))
            }
            other => other.clone(),
        }
    }
}

/// `DTRACEFLT_*`.
type Fault = u32;
const BAD_ADDRESS: Fault = 1;
const ILLEGAL: Fault = 3;
const DIVISION: Fault = 4;
const SCRATCH: Fault = 5;

/// What the consumer sees, in order. Clauses and actions count from 1; action 0 is the predicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Record { clause: u32, values: Vec<Value> },
    Fault { clause: u32, action: u32, kind: Fault },
}

type Place = (Home, u8, u64);

/// Aggregations: by id and key, the words of the value.
pub(crate) type Aggregations = BTreeMap<(u32, Vec<Value>), Vec<u64>>;

/// Everything a session remembers.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Scalars; the last part of the place is the thread.
    vars: BTreeMap<Place, Value>,
    elements: BTreeMap<(Place, Vec<Value>), Value>,
    fed: BTreeMap<(u32, Vec<Value>), (Func, Vec<u64>)>,
    token: Option<Vec<u8>>,
    pub(crate) events: Vec<Event>,
}

impl Model {
    pub(crate) fn fire(&mut self, script: &Script, firing: &Firing) {
        self.vars.retain(|(home, ..), _| *home != Home::Clause);
        self.token = None;
        for (number, clause) in (1..).zip(&script.clauses) {
            match self.clause(clause, firing) {
                Ok(Some(values)) => self.events.push(Event::Record { clause: number, values }),
                Ok(None) => {}
                Err((action, kind)) => {
                    self.events.push(Event::Fault { clause: number, action, kind });
                }
            }
        }
    }

    /// The clause's record, if it makes one.
    fn clause(
        &mut self,
        clause: &Clause,
        firing: &Firing,
    ) -> Result<Option<Vec<Value>>, (u32, Fault)> {
        if let Some(predicate) = &clause.predicate {
            let value = self.expr(predicate, firing).map_err(|fault| (0, fault))?;
            if value == Value::Number(0) {
                return Ok(None);
            }
        }
        let mut action = 0;
        let mut values = Vec::new();
        for each in &clause.actions {
            match each {
                Action::Trace(expr) => {
                    action += 1;
                    let value = self.recorded(expr, firing).map_err(|fault| (action, fault))?;
                    values.push(value);
                }
                Action::Aggregate { id, func, keys, value } => {
                    action += 1; // the id
                    let mut key = Vec::new();
                    for expr in keys {
                        action += 1;
                        key.push(self.recorded(expr, firing).map_err(|fault| (action, fault))?);
                    }
                    action += 1;
                    let value = match value {
                        Some(expr) => self.expr(expr, firing).map_err(|fault| (action, fault))?,
                        None => Value::Number(1),
                    };
                    self.feed(*id, *func, key, value.number());
                }
            }
        }
        Ok((!values.is_empty()).then_some(values))
    }

    /// An expression's value as a record has it.
    fn recorded(&mut self, expr: &Expr, firing: &Firing) -> Result<Value, Fault> {
        match self.expr(expr, firing)? {
            Value::Text(None) => Err(BAD_ADDRESS),
            value => Ok(value.kept()),
        }
    }

    fn feed(&mut self, id: u32, func: Func, key: Vec<Value>, value: u64) {
        let (_, words) = self.fed.entry((id, key)).or_insert_with(|| {
            let words = match func {
                Func::Count | Func::Sum => vec![0],
                Func::Min => vec![i64::MAX.cast_unsigned()],
                Func::Max => vec![i64::MIN.cast_unsigned()],
                Func::Avg => vec![0, 0],
                Func::Quantize => vec![0; 127],
            };
            (func, words)
        });
        let signed = value.cast_signed();
        match func {
            Func::Count => words[0] += 1,
            Func::Sum => words[0] = words[0].wrapping_add(value),
            Func::Min => words[0] = words[0].cast_signed().min(signed).cast_unsigned(),
            Func::Max => words[0] = words[0].cast_signed().max(signed).cast_unsigned(),
            Func::Avg => {
                words[0] += 1;
                words[1] = words[1].wrapping_add(value);
            }
            Func::Quantize => words[quantum(signed)] += 1,
        }
    }

    pub(crate) fn aggregations(&self) -> Aggregations {
        self.fed.iter().map(|(key, (_, words))| (key.clone(), words.clone())).collect()
    }

    fn place(var: Var, firing: &Firing) -> Place {
        (var.home, var.number, Self::owner(var.home, firing))
    }

    fn owner(home: Home, firing: &Firing) -> u64 {
        if home == Home::Thread { u64::from(firing.tid) } else { 0 }
    }

    fn expr(&mut self, expr: &Expr, firing: &Firing) -> Result<Value, Fault> {
        let mut regs = vec![Value::Number(0); 5];
        let mut at = 0;
        while let Some(step) = expr.steps.get(at) {
            at += 1;
            if let Step::If { relation, a, b, len } = step {
                let (a, b) = (number(&regs, *a), number(&regs, *b));
                at += if holds(*relation, a, b) { 0 } else { *len };
                continue;
            }
            if let Some((rd, value)) = self.step(step, &regs, firing)? {
                regs[usize::from(rd)] = value;
            }
        }
        Ok(regs[usize::from(expr.result)].clone())
    }

    /// One step: what it puts where.
    fn step(
        &mut self,
        step: &Step,
        regs: &[Value],
        firing: &Firing,
    ) -> Result<Option<(Reg, Value)>, Fault> {
        let n = |r: &Reg| number(regs, *r);
        let value = |r: &Reg| regs[usize::from(*r)].clone();
        let put = |rd: &Reg, number: u64| Ok(Some((*rd, Value::Number(number))));
        match step {
            Step::Number { rd, value } => put(rd, *value),
            Step::Text { rd, text } => Ok(Some((*rd, Value::Text(Some(text.clone()))))),
            Step::Binary { op, a, b, rd } => put(rd, binary(*op, n(a), n(b))?),
            Step::Not { a, rd } => put(rd, !n(a)),
            Step::Move { a, rd } => Ok(Some((*rd, value(a)))),
            Step::Argument { index, rd } => put(rd, firing.args[usize::from(*index)]),
            Step::Builtin { which, rd } => Ok(Some((*rd, builtin(BUILTINS[*which].0, firing)))),
            Step::Test { relation, a, b, texts: false, rd } => {
                put(rd, u64::from(holds(*relation, n(a), n(b))))
            }
            Step::Test { relation, a, b, texts: true, rd } => {
                // NULL compares as the empty text.
                let text = |r| seen(&value(r)).unwrap_or_default().to_vec();
                put(rd, u64::from(ordered(*relation, text(a).cmp(&text(b)))))
            }
            Step::If { .. } => Ok(None),
            Step::Load { var, rd } => {
                let found = self.vars.get(&Self::place(*var, firing)).cloned();
                Ok(Some((
                    *rd,
                    found.unwrap_or_else(|| Value::unset(var.kind, var.home == Home::Thread)),
                )))
            }
            Step::Store { var, rs } => {
                self.vars.insert(Self::place(*var, firing), value(rs).kept());
                Ok(None)
            }
            Step::Update { var, op, r, before } => {
                let place = self.vars.entry(Self::place(*var, firing)).or_insert(Value::Number(0));
                let old = place.number();
                let new = updated(*op, old, n(r), var.size)?;
                *place = Value::Number(new);
                put(r, if *before { old } else { new })
            }
            Step::Element { array, keys, rd } => {
                let key = key(keys, regs)?;
                let place = (array.home, array.number, Self::owner(array.home, firing));
                let found = self.elements.get(&(place, key)).cloned();
                Ok(Some((*rd, found.unwrap_or_else(|| Value::unset(array.kind, true)))))
            }
            Step::SetElement { array, keys, rs } => {
                let key = key(keys, regs)?;
                let place = (array.home, array.number, Self::owner(array.home, firing));
                self.elements.insert((place, key), value(rs).kept());
                Ok(None)
            }
            Step::Call { sub, args, rd } => {
                let args: Vec<Value> = args.iter().map(value).collect();
                Ok(Some((*rd, self.call(sub.name, &args)?)))
            }
            Step::NextToken { separators, rd } => {
                let rest = self.token.clone();
                Ok(Some((*rd, Value::Text(self.tokenize(rest, &value(separators))?))))
            }
            Step::Scratch { rs, width, signed, offset, rd } => {
                put(rd, loaded(&n(rs).to_le_bytes(), usize::from(*offset), *width, *signed)?)
            }
            Step::Machine { offset, width, signed, user, rd } => {
                put(rd, loaded(&memory(*user), usize::from(*offset), *width, *signed)?)
            }
        }
    }

    /// A subroutine.
    fn call(&mut self, name: &str, args: &[Value]) -> Result<Value, Fault> {
        let int = |at: usize| args.get(at).map(Value::number);
        let text = |bytes: &[u8]| Ok(Value::Text(Some(bytes.to_vec())));
        let count = |found: Option<usize>| {
            Ok(Value::Number(found.map_or(u64::MAX, |at| u64::try_from(at).unwrap())))
        };
        match name {
            "strlen" => count(Some(seen(&args[0])?.len())),
            "strjoin" => {
                // The second is not looked at if the first fills all there is.
                let first = seen(&args[0])?;
                let second = if first.len() < STRSIZE { seen(&args[1])? } else { &[] };
                let joined = [first, second].concat();
                if joined.len() < STRSIZE { text(&joined) } else { Err(SCRATCH) }
            }
            "strchr" | "strrchr" => character(name, &args[0], args[1].number()),
            "strstr" => {
                let found = find(seen(&args[0])?, seen(&args[1])?, 0);
                Ok(Value::Text(found.map(|at| whole(&args[0])[at..].to_vec())))
            }
            "strtok" => {
                let Value::Text(given) = &args[0] else { panic!("strtok of a number") };
                // strtok(NULL, …) goes on where the last call ended.
                let given = given.clone().or_else(|| self.token.clone());
                Ok(Value::Text(self.tokenize(given, &args[1])?))
            }
            "substr" => text(substr(
                seen(&args[0])?,
                args[1].number().cast_signed(),
                int(2).map(u64::cast_signed),
            )),
            "index" => {
                let (all, part) = (seen(&args[0])?, seen(&args[1])?);
                count(index(all, part, int(2).unwrap_or(0).cast_signed()))
            }
            "rindex" => {
                let (all, part) = (seen(&args[0])?, seen(&args[1])?);
                count(rindex(all, part, int(2).map(u64::cast_signed)))
            }
            "toupper" => text(&seen(&args[0])?.to_ascii_uppercase()),
            "tolower" => text(&seen(&args[0])?.to_ascii_lowercase()),
            "lltostr" => text(lltostr(args[0].number(), base(int(1))?).as_bytes()),
            "strtoll" => {
                // The base is looked at before the text.
                let base = base(int(1))?;
                Ok(Value::Number(strtoll(seen(&args[0])?, base)))
            }
            "basename" => text(basename(seen(&args[0])?)),
            "dirname" => text(dirname(seen(&args[0])?)),
            "htons" | "ntohs" => {
                Ok(Value::Number((args[0].number() << 8 & 0xff00) | (args[0].number() >> 8 & 0xff)))
            }
            "htonl" => Ok(Value::Number(reversed(args[0].number(), 4))),
            "htonll" => Ok(Value::Number(reversed(args[0].number(), 8))),
            "copyinstr" => {
                let memory = memory(true);
                let tail = &memory[USER_TEXT..];
                let len = tail.iter().position(|byte| *byte == 0).unwrap();
                text(&tail[..len.min(STRSIZE - 1)])
            }
            other => panic!("no model of {other}"),
        }
    }

    /// The next token of a text; what follows is kept for the next call.
    fn tokenize(
        &mut self,
        text: Option<Vec<u8>>,
        separators: &Value,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let Some(text) = text else { return Ok(None) };
        seen(separators)?;
        let is_separator =
            |byte: &u8| -> Result<bool, Fault> { Ok(seen(separators)?.contains(byte)) };
        let view = &text[..text.len().min(STRSIZE)];
        let mut start = 0;
        while start < view.len() && is_separator(&view[start])? {
            start += 1;
        }
        if start == view.len() {
            self.token = None;
            return Ok(None);
        }
        let mut end = start;
        while end < view.len() && !is_separator(&view[end])? {
            end += 1;
        }
        self.token = (end < view.len()).then(|| text[end + 1..].to_vec());
        Ok(Some(view[start..end].to_vec()))
    }
}

fn number(regs: &[Value], r: Reg) -> u64 {
    regs[usize::from(r)].number()
}

fn key(keys: &[Reg], regs: &[Value]) -> Result<Vec<Value>, Fault> {
    keys.iter()
        .map(|r| match &regs[usize::from(*r)] {
            value @ Value::Text(_) => Ok(Value::Text(Some(seen(value)?.to_vec()))),
            value @ Value::Number(_) => Ok(value.clone()),
        })
        .collect()
}

/// All of a text.
fn whole(value: &Value) -> &[u8] {
    match value {
        Value::Text(Some(text)) => text,
        _ => panic!("no text"),
    }
}

/// As much of a text as operations look at. NULL cannot be looked at.
fn seen(value: &Value) -> Result<&[u8], Fault> {
    match value {
        Value::Text(Some(text)) => Ok(&text[..text.len().min(STRSIZE)]),
        Value::Text(None) => Err(BAD_ADDRESS),
        Value::Number(_) => panic!("a number where a text belongs"),
    }
}

fn binary(op: Binary, a: u64, b: u64) -> Result<u64, Fault> {
    let (sa, sb) = (i128::from(a.cast_signed()), i128::from(b.cast_signed()));
    let divisor = || if b == 0 { Err(DIVISION) } else { Ok(()) };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the low 64 bits")]
    let low = |wide: i128| wide as u64;
    let shift = u32::try_from(b % 64).unwrap();
    Ok(match op {
        Binary::Or => a | b,
        Binary::Xor => a ^ b,
        Binary::And => a & b,
        Binary::Shl => a << shift,
        Binary::Shr => a >> shift,
        Binary::Sar => low(sa >> shift),
        Binary::Sub => low(sa - sb),
        Binary::Add => low(sa + sb),
        Binary::Mul => low(sa.wrapping_mul(sb)),
        Binary::Sdiv => low((divisor()?, sa / sb).1),
        Binary::Udiv => (divisor()?, a / b).1,
        Binary::Srem => low((divisor()?, sa % sb).1),
        Binary::Urem => (divisor()?, a % b).1,
    })
}

/// `var op= operand` for a variable of `size` bytes: the old value is read as one of that size,
/// with a sign where the operation has one, and the new one cut to it.
fn updated(op: Binary, old: u64, operand: u64, size: u32) -> Result<u64, Fault> {
    let bits = size * 8;
    let mask = u64::MAX >> (64 - bits);
    let signed = matches!(op, Binary::Sdiv | Binary::Srem | Binary::Sar);
    let negative = old >> (bits - 1) & 1 == 1;
    let old = if signed && negative { old | !mask } else { old & mask };
    Ok(binary(op, old, operand)? & mask)
}

fn holds(relation: Relation, a: u64, b: u64) -> bool {
    let signed = matches!(
        relation,
        Relation::Less { signed: true }
            | Relation::LessEqual { signed: true }
            | Relation::Greater { signed: true }
            | Relation::GreaterEqual { signed: true }
    );
    ordered(relation, if signed { a.cast_signed().cmp(&b.cast_signed()) } else { a.cmp(&b) })
}

fn ordered(relation: Relation, order: std::cmp::Ordering) -> bool {
    match relation {
        Relation::Equal => order.is_eq(),
        Relation::Unequal => order.is_ne(),
        Relation::Less { .. } => order.is_lt(),
        Relation::LessEqual { .. } => order.is_le(),
        Relation::Greater { .. } => order.is_gt(),
        Relation::GreaterEqual { .. } => order.is_ge(),
    }
}

fn builtin(name: &str, firing: &Firing) -> Value {
    Value::Number(match name {
        "pid" => 11,
        "tid" => u64::from(firing.tid),
        "ppid" => 12,
        "uid" => 13,
        "gid" => 14,
        "cpu" => 3,
        _ => return Value::Text(Some(b"model".to_vec())),
    })
}

fn loaded(bytes: &[u8], offset: usize, width: u8, signed: bool) -> Result<u64, Fault> {
    let part = bytes.get(offset..offset + usize::from(width)).ok_or(BAD_ADDRESS)?;
    let value = part.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let negative = signed && part.last().is_some_and(|byte| byte & 0x80 != 0);
    Ok(if negative && width < 8 { value | u64::MAX << (width * 8) } else { value })
}

fn character(name: &str, value: &Value, wanted: u64) -> Result<Value, Fault> {
    let view = seen(value)?;
    let wanted = wanted.to_le_bytes()[0];
    let found = if wanted == 0 {
        // The NUL, if it is within strsize.
        (view.len() < STRSIZE).then_some(view.len())
    } else if name == "strchr" {
        view.iter().position(|byte| *byte == wanted)
    } else {
        view.iter().rposition(|byte| *byte == wanted)
    };
    Ok(Value::Text(found.map(|at| whole(value)[at..].to_vec())))
}

fn find(text: &[u8], part: &[u8], start: usize) -> Option<usize> {
    (start..=text.len()).find(|at| text[*at..].starts_with(part))
}

fn index(text: &[u8], part: &[u8], start: i64) -> Option<usize> {
    let start = usize::try_from(start.max(0)).unwrap();
    // Nothing is found everywhere, so at the end if the search starts behind it.
    let start = if part.is_empty() { start.min(text.len()) } else { start };
    if start > text.len() { None } else { find(text, part, start) }
}

fn rindex(text: &[u8], part: &[u8], start: Option<i64>) -> Option<usize> {
    let start = match start {
        None => text.len(),
        Some(start) if start < 0 && part.is_empty() => 0,
        Some(start) if start < 0 => return None,
        Some(start) => usize::try_from(start).unwrap().min(text.len()),
    };
    (0..=start).rev().find(|at| text[*at..].starts_with(part))
}

/// Perl's substr: a negative index counts from the end, a negative length leaves that many out at
/// the end, and what lies before the text counts as taken. Without a length, `strsize` is it.
fn substr(text: &[u8], index: i64, len: Option<i64>) -> &[u8] {
    let total = i128::try_from(text.len()).unwrap();
    let len = len.map_or(i128::try_from(STRSIZE).unwrap(), i128::from);
    let start = i128::from(index) + if index < 0 { total } else { 0 };
    let end = if len < 0 { total + len } else { start + len };
    let is_before = start < 0 && (len < 0 || end <= 0);
    if is_before || start >= total {
        return &[];
    }
    let at = |place: i128| usize::try_from(place.clamp(0, total)).unwrap();
    text.get(at(start)..at(end)).unwrap_or_default()
}

/// A base is an int.
fn base(given: Option<u64>) -> Result<u32, Fault> {
    #[expect(clippy::cast_possible_truncation, reason = "an int's bits")]
    let base = given.map_or(10, |given| given as u32).cast_signed();
    if (2..=36).contains(&base) { Ok(base.cast_unsigned()) } else { Err(ILLEGAL) }
}

fn lltostr(value: u64, base: u32) -> String {
    let digit = |n: u64| char::from_digit(u32::try_from(n).unwrap(), base).unwrap();
    let unsigned = |mut value: u64| {
        let mut digits = Vec::new();
        while value > 0 {
            digits.push(digit(value % u64::from(base)));
            value /= u64::from(base);
        }
        digits.iter().rev().collect::<String>()
    };
    match base {
        10 => value.cast_signed().to_string(),
        16 => format!("0x{value:x}"),
        8 if value == 0 => "0".to_owned(),
        8 => format!("0{value:o}"),
        _ if value == 0 => "0".to_owned(),
        _ => unsigned(value),
    }
}

fn strtoll(text: &[u8], base: u32) -> u64 {
    let text: String = text.iter().map(|byte| char::from(*byte)).collect();
    let text = text.trim_start_matches([' ', '\t']);
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefixed = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let text = match prefixed {
        Some(rest) if base == 16 && rest.starts_with(|c: char| c.is_ascii_hexdigit()) => rest,
        _ => text,
    };
    let mut value = 0_u64;
    for digit in text.chars().map_while(|c| c.to_digit(base)) {
        value = value.wrapping_mul(u64::from(base)).wrapping_add(u64::from(digit));
    }
    if negative { value.wrapping_neg() } else { value }
}

/// basename(3).
fn basename(path: &[u8]) -> &[u8] {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|p| !p.is_empty()).collect();
    match parts.last() {
        Some(last) => last,
        None if path.is_empty() => b".",
        None => b"/",
    }
}

/// dirname(3).
fn dirname(path: &[u8]) -> &[u8] {
    let trim = |path: &[u8]| path.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    if path.is_empty() {
        return b".";
    }
    let end = trim(path);
    if end == 0 {
        return b"/";
    }
    match path[..end].iter().rposition(|byte| *byte == b'/') {
        None => b".",
        Some(slash) => match trim(&path[..slash]) {
            0 => b"/",
            end => &path[..end],
        },
    }
}

fn reversed(value: u64, bytes: usize) -> u64 {
    value.to_le_bytes()[..bytes].iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
}

/// The bucket of `quantize()`: 63 is zero, above it powers of two, below it negative ones.
fn quantum(value: i64) -> usize {
    let power = |mut magnitude: u64| {
        let mut power = 0;
        while magnitude > 1 {
            magnitude /= 2;
            power += 1;
        }
        power
    };
    match value {
        0 => 63,
        1.. => 64 + power(value.unsigned_abs()),
        _ => 62 - power(value.unsigned_abs()).min(62),
    }
}
