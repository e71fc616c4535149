//! From records to text: carries out, statement by statement, what a clause left to the consumer.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    process::Command,
    rc::Rc,
};

use dlang::{
    compiled::{AggId, ArgInfo, Statement, StatementKind, ValueKind},
    format::Format,
};
use host::ids::MachineId;

use super::{enabled::EnabledProbe, sink::Sink};
use crate::{
    aggregation::{Aggregations, Line},
    format::{
        self, Context, Datum, NoSymbols, Place, Symbolizer,
        aggregate::{self, Value},
        datum,
        printf::{self, Arguments, MissingArgument},
        quantize::Packing,
        row,
        structured::Document,
        typed,
        user::UserSymbolizer,
    },
    options::{From, Options},
    symbols::SymbolTable,
};

/// What `dtrace:` lines go to, apart from output.
pub type Messages = Box<dyn FnMut(&str)>;

/// A record that does not hold what its program says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It is too short for one of its data.
    #[error("a record of {0} is too short for its data")]
    Short(String),
    /// A format wants an argument that is not there.
    #[error("a record of {0}: {1}")]
    Argument(String, MissingArgument),
    /// Output could not be written, in the system's words.
    #[error("failed to write to <stdout>: {words}")]
    Write {
        /// Nobody reads it any more.
        unread: bool,
        /// Why.
        words: String,
    },
}

impl RecordError {
    fn write(error: &io::Error) -> Self {
        Self::Write {
            unread: error.kind() == io::ErrorKind::BrokenPipe,
            words: system_words(error),
        }
    }
}

/// Prints records and aggregations.
pub struct Printer {
    sink: Sink,
    messages: Messages,
    heading: bool,
    exit_status: Option<i32>,
    /// Symbols by machine.
    symbols: Vec<Rc<SymbolTable>>,
    /// Empty room for text that is made and written at once.
    room: Vec<u8>,
    /// With `oformat`: what all objects lie in.
    pub(super) document: Document,
    /// With `oformat`: what was lost so far, by kind.
    pub(super) drops: BTreeMap<u32, u64>,
}

impl std::fmt::Debug for Printer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Printer").field("exit_status", &self.exit_status).finish_non_exhaustive()
    }
}

/// One record and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its probe and clause.
    pub probe: &'a EnabledProbe,
    /// Its EPID, for messages.
    pub epid: u32,
    /// The CPU of its machine.
    pub cpu: u32,
    /// The record, header included.
    pub bytes: &'a [u8],
    /// Names addresses of user programs.
    pub users: &'a dyn UserSymbolizer,
    /// With `flowindent`: what the probe does, and how many columns deep it is.
    pub flow: (row::Flow, usize),
}

impl<'r> Record<'r> {
    pub(super) fn context<'a>(
        &self,
        symbols: Option<&'a SymbolTable>,
        options: &Options,
    ) -> Context<'a>
    where
        'r: 'a,
    {
        context(symbols, (self.users, self.probe.machine), options)
    }

    pub(super) fn short(&self) -> RecordError {
        RecordError::Short(self.probe.description())
    }

    pub(super) fn datum<'a>(&'a self, info: &'a ArgInfo) -> Option<Datum<'a>> {
        let bytes = self.probe.datum(self.bytes, info.action)?;
        Some(Datum { kind: &info.kind, bytes })
    }

    fn integer(&self, statement: &Statement) -> Option<i64> {
        Some(self.datum(statement.args.first()?)?.integer())
    }
}

/// A statement's arguments in a record.
struct RecordArguments<'a>(&'a Record<'a>, &'a [ArgInfo]);

impl Arguments for RecordArguments<'_> {
    fn datum(&self, index: usize) -> Option<Datum<'_>> {
        self.0.datum(self.1.get(index)?)
    }

    fn aggregation(&self, _index: usize) -> Option<Value<'_>> {
        None
    }
}

/// A line of aggregations as arguments of `printa()`.
pub(super) struct LineArguments<'a>(pub(super) &'a Line<'a>);

impl Arguments for LineArguments<'_> {
    fn datum(&self, index: usize) -> Option<Datum<'_>> {
        self.0.key.get(index).copied()
    }

    fn aggregation(&self, index: usize) -> Option<Value<'_>> {
        self.0.values.get(index).or(self.0.values.last()).copied()
    }
}

impl Printer {
    /// A printer to a sink; messages for the user go to `messages` without a newline.
    #[must_use]
    pub fn new(sink: Sink, messages: Messages) -> Self {
        Self {
            sink,
            messages,
            heading: false,
            exit_status: None,
            symbols: Vec::new(),
            room: Vec::new(),
            document: Document::default(),
            drops: BTreeMap::new(),
        }
    }

    /// Makes a machine's symbols known.
    pub fn add_machine(&mut self, machine: MachineId, symbols: Rc<SymbolTable>) {
        let index = usize::try_from(machine.0).unwrap_or(usize::MAX);
        if index >= self.symbols.len() && index < 1 << 20 {
            self.symbols.resize_with(index + 1, Rc::default);
        }
        if let Some(place) = self.symbols.get_mut(index) {
            *place = symbols;
        }
    }

    /// What `exit()` was given last.
    #[must_use]
    pub const fn exit_status(&self) -> Option<i32> {
        self.exit_status
    }

    /// Says something to the user, not as output.
    pub fn message(&mut self, text: &str) {
        (self.messages)(text);
    }

    /// Writes text to the output.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        self.sink.write_all(bytes).map_err(|error| RecordError::write(&error))
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn flush(&mut self) -> Result<(), RecordError> {
        self.sink.flush().map_err(|error| RecordError::write(&error))
    }

    /// The symbols of a machine.
    pub(super) fn symbols_of(&self, machine: MachineId) -> Option<Rc<SymbolTable>> {
        self.symbols.get(usize::try_from(machine.0).ok()?).cloned()
    }

    /// Prints one record and does what its clause asks the consumer to do.
    ///
    /// # Errors
    /// [`RecordError`]; what could be printed is printed.
    pub fn record(
        &mut self,
        record: &Record<'_>,
        options: &mut Options,
        aggregations: &mut Aggregations,
    ) -> Result<(), RecordError> {
        if let Some(structure) = options.structure {
            return self.record_object(record, structure, options, aggregations);
        }
        let mut out = std::mem::take(&mut self.room);
        self.start_row(&mut out, record, options);
        self.write_room(out)?;
        let mut result = Ok(());
        for statement in record.probe.statements() {
            let done = self.statement(record, statement, options, aggregations);
            result = result.and(done);
        }
        if !options.quiet {
            self.write(b"\n")?;
        }
        result
    }

    /// Writes text and keeps its room for the next.
    fn write_room(&mut self, mut text: Vec<u8>) -> Result<(), RecordError> {
        let written = if text.is_empty() { Ok(()) } else { self.write(&text) };
        text.clear();
        self.room = text;
        written
    }

    fn start_row(&mut self, out: &mut Vec<u8>, record: &Record<'_>, options: &Options) {
        let probe = record.probe;
        let heading = !std::mem::replace(&mut self.heading, true);
        if options.flowindent {
            if heading {
                row::flow_heading(out);
            }
            let names = [&*probe.provider, &*probe.function, &*probe.name];
            row::flow_start(out, record.cpu, record.flow, names);
        } else if !options.quiet {
            if heading {
                row::heading(out);
            }
            row::start(out, record.cpu, probe.number, &probe.function, &probe.name);
        }
    }

    pub(super) fn statement(
        &mut self,
        record: &Record<'_>,
        statement: &Statement,
        options: &mut Options,
        aggregations: &mut Aggregations,
    ) -> Result<(), RecordError> {
        let integer = || record.integer(statement).ok_or_else(|| record.short());
        match &statement.kind {
            StatementKind::Clear(id) => aggregations.clear(*id),
            StatementKind::Denormalize(id) => aggregations.denormalize(*id),
            StatementKind::Normalize(id) => {
                aggregations.normalize(*id, integer()?.cast_unsigned());
            }
            StatementKind::Trunc(id) if statement.args.is_empty() => aggregations.trunc(*id, 0),
            StatementKind::Trunc(id) => aggregations.trunc(*id, integer()?),
            StatementKind::Exit => self.exit_status = i32::try_from(integer()?).ok(),
            StatementKind::Setopt { name, value } => {
                self.set_option(record, options, name, value.as_deref());
            }
            StatementKind::SetoptComputed => {
                let mut texts = Vec::new();
                for info in &statement.args {
                    let datum = record.datum(info).ok_or_else(|| record.short())?;
                    texts.push(String::from_utf8_lossy(datum.text()).into_owned());
                }
                let name = texts.first().ok_or_else(|| record.short())?;
                let value = texts.get(1).map(String::as_str);
                self.set_option(record, options, name, value);
            }
            StatementKind::Printa { format, aggregations: ids } => {
                self.printa(record, format.as_ref(), ids, options, aggregations)?;
            }
            StatementKind::Ftruncate => self.report(record, "", |sink, ()| sink.truncate(), ()),
            StatementKind::Freopen(format) => {
                let name = self.formatted(record, statement, format, options)?;
                let name = String::from_utf8_lossy(&name).into_owned();
                let failed = format!("couldn't freopen() \"{name}\": ");
                self.report(record, &failed, |sink, name| sink.reopen(&name), name);
            }
            StatementKind::System(format) => {
                let command = self.formatted(record, statement, format, options)?;
                let command = String::from_utf8_lossy(&command).into_owned();
                self.report(record, "", |sink, command| system(sink, &command), command);
            }
            StatementKind::Default
            | StatementKind::Expression
            | StatementKind::Aggregate(_)
            | StatementKind::Speculate
            | StatementKind::Commit
            | StatementKind::Discard
            | StatementKind::Destructive => {}
            StatementKind::Trace
            | StatementKind::TraceMem
            | StatementKind::Print(_)
            | StatementKind::PrintMem
            | StatementKind::Printf(_)
            | StatementKind::Stack
            | StatementKind::Symbol => self.data(record, statement, options)?,
        }
        Ok(())
    }

    /// Statements that print data of the record.
    fn data(
        &mut self,
        record: &Record<'_>,
        statement: &Statement,
        options: &Options,
    ) -> Result<(), RecordError> {
        let mut out = std::mem::take(&mut self.room);
        let symbols = self.symbols_of(record.probe.machine);
        let context = record.context(symbols.as_deref(), options);
        match &statement.kind {
            StatementKind::Printf(format) => {
                formatted(&mut out, record, statement, format, &context)?
            }
            kind => {
                let place = if options.quiet { Place::QuietRow } else { Place::Row };
                let mut data = statement.args.iter().map(|info| record.datum(info));
                let mut next = || data.next().flatten().ok_or_else(|| record.short());
                let mut datum = next()?;
                // What is printed without a format goes by its size: a packed string has its own,
                // and anything may stand behind its NUL.
                let room = statement.args.first().and_then(|info| record.probe.room(info.action));
                let size = room.unwrap_or(0).max(datum.bytes.len());
                let kept = match datum.kind {
                    ValueKind::String => datum.text(),
                    _ => datum.bytes,
                };
                let whole = (kept.len() < size).then(|| {
                    let mut whole = kept.to_vec();
                    whole.resize(size, 0);
                    whole
                });
                datum.bytes = whole.as_deref().unwrap_or(datum.bytes);
                match kind {
                    StatementKind::TraceMem if statement.args.len() > 1 => {
                        datum::dump(&mut out, datum::start_of(datum.bytes, next()?.unsigned()));
                    }
                    StatementKind::TraceMem => datum::dump(&mut out, datum.bytes),
                    StatementKind::PrintMem => datum::dump(&mut out, datum::counted(datum.bytes)),
                    StatementKind::Print(ty) => typed::print(&mut out, &context, ty, datum.bytes),
                    _ => datum::print(&mut out, &context, &datum, place),
                }
            }
        }
        self.write_room(out)
    }

    fn formatted(
        &self,
        record: &Record<'_>,
        statement: &Statement,
        format: &Format,
        options: &Options,
    ) -> Result<Vec<u8>, RecordError> {
        let symbols = self.symbols_of(record.probe.machine);
        let context = record.context(symbols.as_deref(), options);
        let mut out = Vec::new();
        formatted(&mut out, record, statement, format, &context)?;
        Ok(out)
    }

    fn printa(
        &mut self,
        record: &Record<'_>,
        format: Option<&Format>,
        ids: &[AggId],
        options: &Options,
        aggregations: &mut Aggregations,
    ) -> Result<(), RecordError> {
        let mut out = Vec::new();
        if format.is_none() {
            out.push(b'\n');
        }
        let place = (record.users, record.probe.machine);
        self.lines(&mut out, aggregations, ids, format, place, options)
            .map_err(|missing| RecordError::Argument(record.probe.description(), missing))?;
        aggregations.mark_printed(ids);
        self.write(&out)
    }

    fn lines(
        &self,
        out: &mut Vec<u8>,
        aggregations: &Aggregations,
        ids: &[AggId],
        format: Option<&Format>,
        (users, machine): (&dyn UserSymbolizer, MachineId),
        options: &Options,
    ) -> Result<(), MissingArgument> {
        let lines = aggregations.lines(ids, &options.sort);
        let mut packing = match (ids, format) {
            ([_], None) => {
                let values: Vec<Value<'_>> =
                    lines.iter().filter_map(|line| line.values.first().copied()).collect();
                Packing::of(&values, options.drawing).map(|packing| (packing, false))
            }
            _ => None,
        };
        for line in lines {
            let machine = line.machine.unwrap_or(machine);
            let symbols = self.symbols_of(machine);
            let context = context(symbols.as_deref(), (users, machine), options);
            match (format, &mut packing, line.values.first()) {
                (Some(format), ..) => {
                    printf::print(out, &context, format, &LineArguments(&line))?;
                }
                (None, Some((packing, headed)), Some(value)) => {
                    if !std::mem::replace(headed, true) {
                        let width = aggregate::packed_width(&context, &line.key);
                        packing.heading(out, width, value.words.len());
                    }
                    aggregate::print_packed(out, &context, packing, &line.key, value);
                }
                _ => aggregate::print(out, &context, line.key.iter().copied(), &line.values),
            }
        }
        Ok(())
    }

    /// At exit: everything that was never printed.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn remaining(
        &mut self,
        aggregations: &Aggregations,
        users: &dyn UserSymbolizer,
        options: &Options,
    ) -> Result<(), RecordError> {
        if let Some(structure) = options.structure {
            return self.last_objects(structure, aggregations, users, options);
        }
        let mut out = Vec::new();
        let place = (users, MachineId(0));
        for id in aggregations.unprinted(&options.sort) {
            // The default layout takes no argument, so none can be missing.
            let _ = self.lines(&mut out, aggregations, &[id], None, place, options);
        }
        self.write(&out)
    }

    fn set_option(
        &mut self,
        record: &Record<'_>,
        options: &mut Options,
        name: &str,
        value: Option<&str>,
    ) {
        let value = value.unwrap_or("1");
        if let Err(error) = options.set(name, Some(value), From::Action) {
            // dtrace(1) leaves an empty line behind this one.
            let what = format!("couldn't set option \"{name}\" to \"{value}\": {error}\n");
            self.library_error(record, &what);
        }
    }

    /// Does something with the sink; a failure is reported and tracing goes on.
    fn report<T>(
        &mut self,
        record: &Record<'_>,
        what: &str,
        action: impl FnOnce(&mut Sink, T) -> io::Result<()>,
        argument: T,
    ) {
        if let Err(error) = action(&mut self.sink, argument) {
            self.library_error(record, &format!("{what}{}", system_words(&error)));
        }
    }

    fn library_error(&mut self, record: &Record<'_>, what: &str) {
        let (epid, number) = (record.epid, record.probe.number);
        let probe = record.probe.description();
        self.message(&format!("error on enabled probe ID {epid} (ID {number}: {probe}): {what}"));
    }
}

/// Prints a statement's format over its data.
pub(super) fn formatted(
    out: &mut Vec<u8>,
    record: &Record<'_>,
    statement: &Statement,
    format: &Format,
    context: &Context<'_>,
) -> Result<(), RecordError> {
    printf::print(out, context, format, &RecordArguments(record, &statement.args))
        .map_err(|missing| RecordError::Argument(record.probe.description(), missing))
}

/// The system's words for an error, without the number Rust adds.
#[must_use]
pub fn system_words(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

pub(super) fn context<'a>(
    symbols: Option<&'a SymbolTable>,
    (users, machine): (&'a dyn UserSymbolizer, MachineId),
    options: &Options,
) -> Context<'a> {
    let symbols: &dyn Symbolizer = match symbols {
        Some(symbols) => symbols,
        None => &NoSymbols,
    };
    let bounded = |size: u64| usize::try_from(size).unwrap_or(usize::MAX).min(format::MAX_WIDTH);
    Context {
        symbols,
        users,
        machine,
        stack_indent: bounded(options.stack_indent),
        strsize: bounded(options.strsize),
        rawbytes: options.rawbytes,
        drawing: options.drawing,
    }
}

/// `system()`: what was printed before comes out before.
fn system(sink: &mut Sink, command: &str) -> io::Result<()> {
    sink.flush()?;
    Command::new("/bin/sh").arg("-c").arg(command).status().map(drop)
}
