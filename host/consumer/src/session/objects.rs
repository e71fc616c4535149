//! Records, aggregations and drops for programs: with `oformat`, each becomes an object instead of
//! text.

use std::time::{SystemTime, UNIX_EPOCH};

use dlang::compiled::{AggId, Statement, StatementKind};
use host::{arena::header::DropKind, ids::MachineId};
use serde_json::{Value, json};

use super::printer::{LineArguments, Printer, Record, RecordError, context, formatted};
use crate::{
    aggregation::Aggregations,
    format::{
        Datum, datum, printf,
        structured::{self, Structure},
        typed,
        user::UserSymbolizer,
    },
    options::Options,
};

impl Printer {
    /// Prints one record as an object, and does what its clause asks the consumer to do.
    ///
    /// # Errors
    /// As [`Printer::record`].
    pub(super) fn record_object(
        &mut self,
        record: &Record<'_>,
        structure: Structure,
        options: &mut Options,
        aggregations: &mut Aggregations,
    ) -> Result<(), RecordError> {
        let mut output = Vec::new();
        let mut result = Ok(());
        for statement in record.probe.statements() {
            let done = match &statement.kind {
                StatementKind::Printa { .. } => {
                    self.printa_objects(&mut output, record, statement, options, aggregations)
                }
                _ if prints_data(&statement.kind) => {
                    self.data_objects(&mut output, record, statement, options)
                }
                _ => self.statement(record, statement, options, aggregations),
            };
            result = result.and(done);
        }
        let probe = record.probe;
        let mut object = json!({
            "timestamp": now(),
            "cpu": record.cpu,
            "id": probe.number,
            "provider": probe.provider,
            "module": probe.module,
            "function": probe.function,
            "name": probe.name,
        });
        if let Value::Object(members) = &mut object {
            if probe.machine != MachineId(0) {
                members.insert("vmname".to_owned(), Value::from(&*probe.machine_name));
            }
            members.insert("output".to_owned(), Value::Array(output));
        }
        result.and(self.add_object(structure, &object))
    }

    /// Something was lost: the pseudo-probe `dtrace:INTERNAL:INTERNAL:DROP`.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub(super) fn drop_object(
        &mut self,
        structure: Structure,
        kind: DropKind,
        count: u64,
        words: &str,
    ) -> Result<(), RecordError> {
        let number = number(kind);
        let total = self.drops.entry(number).or_default();
        *total += count;
        let total = *total;
        let object = json!({
            "cpu": -1,
            "id": -1,
            "provider": "dtrace",
            "module": "INTERNAL",
            "function": "INTERNAL",
            "name": "DROP",
            "timestamp": now(),
            "count": count,
            "total": total,
            "kind": number,
            "msg": format!("{words}\n"),
        });
        self.add_object(structure, &object)
    }

    /// At exit: what was never printed, if `-O` asks for it (the pseudo-probe
    /// `dtrace:INTERNAL:INTERNAL:AGGREGATIONS`), and the document's end.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub(super) fn last_objects(
        &mut self,
        structure: Structure,
        aggregations: &Aggregations,
        users: &dyn UserSymbolizer,
        options: &Options,
    ) -> Result<(), RecordError> {
        let unprinted = aggregations.unprinted(&options.sort);
        if options.print_all && !unprinted.is_empty() {
            let place = (users, MachineId(0));
            let output = unprinted
                .into_iter()
                .map(|id| self.aggregation_object(aggregations, id, place, options))
                .collect();
            let object = json!({
                "timestamp": now(),
                "cpu": -1,
                "id": -1,
                "provider": "dtrace",
                "module": "INTERNAL",
                "function": "INTERNAL",
                "name": "AGGREGATIONS",
                "output": Value::Array(output),
            });
            self.add_object(structure, &object)?;
        }
        let mut out = Vec::new();
        self.document.end(&mut out, structure);
        self.write(&out)
    }

    fn add_object(&mut self, structure: Structure, object: &Value) -> Result<(), RecordError> {
        let mut out = Vec::new();
        self.document.add(&mut out, structure, object);
        self.write(&out)
    }

    /// `printa()`: with a format each line's text, then the aggregations.
    fn printa_objects(
        &mut self,
        output: &mut Vec<Value>,
        record: &Record<'_>,
        statement: &Statement,
        options: &Options,
        aggregations: &mut Aggregations,
    ) -> Result<(), RecordError> {
        let StatementKind::Printa { format, aggregations: ids } = &statement.kind else {
            return Ok(());
        };
        let machine = record.probe.machine;
        if let Some(format) = format {
            for line in aggregations.lines(ids, &options.sort) {
                let machine = line.machine.unwrap_or(machine);
                let symbols = self.symbols_of(machine);
                let context = context(symbols.as_deref(), (record.users, machine), options);
                let mut text = Vec::new();
                printf::print(&mut text, &context, format, &LineArguments(&line)).map_err(
                    |missing| RecordError::Argument(record.probe.description(), missing),
                )?;
                output.push(structured::named("message", &text));
            }
        }
        for id in ids {
            let place = (record.users, machine);
            output.push(self.aggregation_object(aggregations, *id, place, options));
        }
        aggregations.mark_printed(ids);
        Ok(())
    }

    fn aggregation_object(
        &self,
        aggregations: &Aggregations,
        id: AggId,
        (users, machine): (&dyn UserSymbolizer, MachineId),
        options: &Options,
    ) -> Value {
        let mut entries = Vec::new();
        for line in aggregations.lines(&[id], &options.sort) {
            let machine = line.machine.unwrap_or(machine);
            let symbols = self.symbols_of(machine);
            let context = context(symbols.as_deref(), (users, machine), options);
            if let Some(value) = line.values.first() {
                entries.push(structured::entry(&context, &line.key, value));
            }
        }
        structured::aggregation(aggregations.name(id), entries)
    }

    /// Statements that print data of the record.
    fn data_objects(
        &self,
        output: &mut Vec<Value>,
        record: &Record<'_>,
        statement: &Statement,
        options: &Options,
    ) -> Result<(), RecordError> {
        let symbols = self.symbols_of(record.probe.machine);
        let context = record.context(symbols.as_deref(), options);
        let datum = |at: usize| -> Result<Datum<'_>, RecordError> {
            let info = statement.args.get(at).ok_or_else(|| record.short())?;
            record.datum(info).ok_or_else(|| record.short())
        };
        match &statement.kind {
            StatementKind::Printf(format) => {
                let mut text = Vec::new();
                formatted(&mut text, record, statement, format, &context)?;
                output.push(structured::named("message", &text));
                for at in 0..statement.args.len() {
                    output.push(structured::object(&context, &datum(at)?));
                }
            }
            StatementKind::TraceMem if statement.args.len() > 1 => {
                let size = datum(1)?.unsigned();
                let bytes = datum(0)?.bytes;
                output.push(structured::dump("tracemem", datum::start_of(bytes, size)));
            }
            StatementKind::TraceMem => output.push(structured::dump("tracemem", datum(0)?.bytes)),
            StatementKind::PrintMem => {
                output.push(structured::dump("printm", datum::counted(datum(0)?.bytes)));
            }
            StatementKind::Print(ty) => {
                let mut text = Vec::new();
                typed::print(&mut text, &context, ty, datum(0)?.bytes);
                output.push(json!({ "type": [structured::named("value", text.trim_ascii())] }));
            }
            _ => output.push(structured::object(&context, &datum(0)?)),
        }
        Ok(())
    }
}

/// Whether a statement prints data of the record.
const fn prints_data(kind: &StatementKind) -> bool {
    matches!(
        kind,
        StatementKind::Trace
            | StatementKind::TraceMem
            | StatementKind::Print(_)
            | StatementKind::PrintMem
            | StatementKind::Printf(_)
            | StatementKind::Stack
            | StatementKind::Symbol
    )
}

/// Nanoseconds since the epoch: an object's time is that of its output.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// `dtrace_dropkind_t`; what only this dtrace counts comes behind.
const fn number(kind: DropKind) -> u32 {
    match kind {
        DropKind::Principal => 0,
        DropKind::Aggregation => 1,
        DropKind::Dynamic => 2,
        DropKind::DynRinse => 3,
        DropKind::DynDirty => 4,
        DropKind::Spec => 5,
        DropKind::SpecBusy => 6,
        DropKind::SpecUnavailable => 7,
        DropKind::StackString => 8,
        DropKind::DoubleError => 9,
        _ => 10,
    }
}
