//! The compiler's error tags.
//!
//! Every error that a D program can be refused for has a name of its own, shown by `-x errtags`;
//! tests and documentation speak of errors by these names. Names and order are those of DTrace's
//! `dt_errtags.h`; what stands after `D_LQUANT_MATCHSTEP` came later or is ours.

/// Declares the enum, its names and the list of all tags in one place.
macro_rules! tags {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// Why a program was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ErrorTag {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorTag {
            /// Every tag, in order.
            pub const ALL: &[ErrorTag] = &[$(ErrorTag::$variant,)*];

            /// The tag as users know it: `D_SYNTAX`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(ErrorTag::$variant => $name,)*
                }
            }
        }
    };
}

tags! {
    /// What went wrong has no tag of its own.
    Unknown => "D_UNKNOWN",
    /// The text is not D.
    Syntax => "D_SYNTAX",
    /// The program has no declarations or clauses.
    Empty => "D_EMPTY",
    /// A type is not defined.
    TypeErr => "D_TYPE_ERR",
    /// A type has no such member.
    TypeMember => "D_TYPE_MEMBER",
    /// A relocation is left against a symbol.
    Asrelo => "D_ASRELO",
    /// An action is used inside an expression.
    CgExpr => "D_CG_EXPR",
    /// An expression's result has a dynamic type.
    CgDyn => "D_CG_DYN",
    /// Stability attributes are below `amin`.
    AttrMin => "D_ATTR_MIN",
    /// More variables than identifiers can number.
    IdOflow => "D_ID_OFLOW",
    /// A probe description matches no probe.
    PdescZero => "D_PDESC_ZERO",
    /// A probe description is malformed.
    PdescInval => "D_PDESC_INVAL",
    /// A predicate is not scalar.
    PredScalar => "D_PRED_SCALAR",
    /// What is called is not an identifier.
    FuncIdent => "D_FUNC_IDENT",
    /// No such function.
    FuncUndef => "D_FUNC_UNDEF",
    /// What is called is not a function.
    FuncIdkind => "D_FUNC_IDKIND",
    /// `offsetof` of something not a struct or union.
    OffsetofType => "D_OFFSETOF_TYPE",
    /// `offsetof` of a bit-field.
    OffsetofBitfield => "D_OFFSETOF_BITFIELD",
    /// `sizeof` of a type without size.
    SizeofType => "D_SIZEOF_TYPE",
    /// `sizeof` of a bit-field.
    SizeofBitfield => "D_SIZEOF_BITFIELD",
    /// `stringof` of what cannot be a string.
    StringofType => "D_STRINGOF_TYPE",
    /// An operand is not an identifier.
    OpIdent => "D_OP_IDENT",
    /// An operand is not an integer.
    OpInt => "D_OP_INT",
    /// An operand is not scalar.
    OpScalar => "D_OP_SCALAR",
    /// An operand is not arithmetic.
    OpArith => "D_OP_ARITH",
    /// An operand is not a writable variable.
    OpWrite => "D_OP_WRITE",
    /// An operand is not an lvalue.
    OpLval => "D_OP_LVAL",
    /// Operand types do not go together.
    OpIncompat => "D_OP_INCOMPAT",
    /// An operand is a pointer to void or to a function.
    OpVfptr => "D_OP_VFPTR",
    /// An operand is an array or a function.
    OpArrfun => "D_OP_ARRFUN",
    /// An operand is not a pointer.
    OpPtr => "D_OP_PTR",
    /// An operand is not a struct or union.
    OpSou => "D_OP_SOU",
    /// An operand's type is incomplete.
    OpIncomplete => "D_OP_INCOMPLETE",
    /// An operand is of dynamic type.
    OpDyn => "D_OP_DYN",
    /// An operand is an action.
    OpAct => "D_OP_ACT",
    /// An aggregation has two aggregating functions.
    AggRedef => "D_AGG_REDEF",
    /// An aggregation is not given an aggregating function.
    AggFunc => "D_AGG_FUNC",
    /// An aggregation has two key lists.
    AggMdim => "D_AGG_MDIM",
    /// A key list on something not an associative array.
    ArrBadref => "D_ARR_BADREF",
    /// An associative array that is clause-local.
    ArrLocal => "D_ARR_LOCAL",
    /// A division by constant zero.
    DivZero => "D_DIV_ZERO",
    /// A dereference of something not a pointer.
    DerefNonptr => "D_DEREF_NONPTR",
    /// A dereference of a `void` pointer.
    DerefVoid => "D_DEREF_VOID",
    /// A dereference of a function pointer.
    DerefFunc => "D_DEREF_FUNC",
    /// `&` of something not an lvalue.
    AddrofLval => "D_ADDROF_LVAL",
    /// `&` of a D variable.
    AddrofVar => "D_ADDROF_VAR",
    /// `&` of a bit-field.
    AddrofBitfield => "D_ADDROF_BITFIELD",
    /// A second translator for the same types.
    XlateRedecl => "D_XLATE_REDECL",
    /// A translator does not define the member.
    XlateNoconv => "D_XLATE_NOCONV",
    /// No translator between the types.
    XlateNone => "D_XLATE_NONE",
    /// A translator's output is not a struct or union.
    XlateSou => "D_XLATE_SOU",
    /// A translator's expression does not fit its member.
    XlateIncompat => "D_XLATE_INCOMPAT",
    /// A translator names a member that is not there.
    XlateMemb => "D_XLATE_MEMB",
    /// A cast that cannot be made.
    CastInval => "D_CAST_INVAL",
    /// `#error`, or `#pragma error`.
    Pragerr => "D_PRAGERR",
    /// A control line that D does not know.
    PragctlInval => "D_PRAGCTL_INVAL",
    /// A pragma that D does not know.
    PragmaInval => "D_PRAGMA_INVAL",
    /// A pragma that nothing used.
    PragmaUnused => "D_PRAGMA_UNUSED",
    /// A pragma's arguments are malformed.
    PragmaMalform => "D_PRAGMA_MALFORM",
    /// `#pragma D option` could not set the option.
    PragmaOptset => "D_PRAGMA_OPTSET",
    /// A pragma names an identifier of another scope.
    PragmaScope => "D_PRAGMA_SCOPE",
    /// A `depends_on` is not met.
    PragmaDepend => "D_PRAGMA_DEPEND",
    /// A macro variable or argument is not defined.
    MacroUndef => "D_MACRO_UNDEF",
    /// A macro argument is too large an integer.
    MacroOflow => "D_MACRO_OFLOW",
    /// A macro argument is never used.
    MacroUnused => "D_MACRO_UNUSED",
    /// An integer constant is too large.
    IntOflow => "D_INT_OFLOW",
    /// An integer constant has a digit its base has not.
    IntDigit => "D_INT_DIGIT",
    /// A string is not closed on its line.
    StrNl => "D_STR_NL",
    /// A character constant is not closed on its line.
    ChrNl => "D_CHR_NL",
    /// A character constant is empty.
    ChrNull => "D_CHR_NULL",
    /// A character constant has more than eight bytes.
    ChrOflow => "D_CHR_OFLOW",
    /// An identifier is used as what it is not.
    IdentBadref => "D_IDENT_BADREF",
    /// An identifier is not defined.
    IdentUndef => "D_IDENT_UNDEF",
    /// A name is both a variable and an enumerator.
    IdentAmbig => "D_IDENT_AMBIG",
    /// A kernel symbol where a user one belongs, or the reverse.
    SymBadref => "D_SYM_BADREF",
    /// A symbol's module has no type information.
    SymNotypes => "D_SYM_NOTYPES",
    /// A symbol's data model is not the program's.
    SymModel => "D_SYM_MODEL",
    /// A variable is used before it is defined.
    VarUndef => "D_VAR_UNDEF",
    /// A variable that is not supported.
    VarUnsup => "D_VAR_UNSUP",
    /// A function is called with too few or too many arguments.
    ProtoLen => "D_PROTO_LEN",
    /// A function's argument has the wrong type.
    ProtoArg => "D_PROTO_ARG",
    /// `args[]` where the probes' argument types differ.
    ArgsMulti => "D_ARGS_MULTI",
    /// `args[]` needs a translator that is not there.
    ArgsXlator => "D_ARGS_XLATOR",
    /// `args[]` where probes have no typed arguments.
    ArgsNone => "D_ARGS_NONE",
    /// An `args[]` element's type is not known.
    ArgsType => "D_ARGS_TYPE",
    /// An `args[]` index is out of range.
    ArgsIdx => "D_ARGS_IDX",
    /// A `regs[]` index is out of range.
    RegsIdx => "D_REGS_IDX",
    /// A key of an aggregation or array has an unfit type.
    KeyType => "D_KEY_TYPE",
    /// A `*` width or precision has no argument.
    PrintfDynProto => "D_PRINTF_DYN_PROTO",
    /// A `*` width or precision is not an integer.
    PrintfDynType => "D_PRINTF_DYN_TYPE",
    /// `%@` where there is no aggregation.
    PrintfAggConv => "D_PRINTF_AGG_CONV",
    /// A conversion has no argument.
    PrintfArgProto => "D_PRINTF_ARG_PROTO",
    /// A conversion's argument has the wrong type.
    PrintfArgType => "D_PRINTF_ARG_TYPE",
    /// More arguments than conversions.
    PrintfArgExtra => "D_PRINTF_ARG_EXTRA",
    /// A format is not a string constant.
    PrintfArgFmt => "D_PRINTF_ARG_FMT",
    /// A format is empty.
    PrintfFmtEmpty => "D_PRINTF_FMT_EMPTY",
    /// `char` with attributes it cannot have.
    DeclCharattr => "D_DECL_CHARATTR",
    /// `void` with attributes it cannot have.
    DeclVoidattr => "D_DECL_VOIDATTR",
    /// `signed` or `unsigned` with a type not an integer.
    DeclSignint => "D_DECL_SIGNINT",
    /// `long` with a type not arithmetic.
    DeclLongint => "D_DECL_LONGINT",
    /// A declaration without a type, or with an unknown one.
    DeclIdent => "D_DECL_IDENT",
    /// Two storage classes.
    DeclClass => "D_DECL_CLASS",
    /// A storage class that D has not.
    DeclBadclass => "D_DECL_BADCLASS",
    /// A storage class that a parameter cannot have.
    DeclParmclass => "D_DECL_PARMCLASS",
    /// Type specifiers that do not go together.
    DeclCombo => "D_DECL_COMBO",
    /// An array size that is not an integer constant.
    DeclArrsub => "D_DECL_ARRSUB",
    /// An array without size or keys.
    DeclArrnull => "D_DECL_ARRNULL",
    /// An array that is too large.
    DeclArrbig => "D_DECL_ARRBIG",
    /// An identifier is declared again.
    DeclIdred => "D_DECL_IDRED",
    /// A type is declared again.
    DeclTypered => "D_DECL_TYPERED",
    /// A member without a name.
    DeclMname => "D_DECL_MNAME",
    /// A scoping operator in a declared name.
    DeclScope => "D_DECL_SCOPE",
    /// A bit-field width that is not an integer constant.
    DeclBfconst => "D_DECL_BFCONST",
    /// A bit-field wider than its type.
    DeclBfsize => "D_DECL_BFSIZE",
    /// A bit-field of an unfit type.
    DeclBftype => "D_DECL_BFTYPE",
    /// An enumerator value that is not an integer constant.
    DeclEnconst => "D_DECL_ENCONST",
    /// An enumerator value that is too large.
    DeclEnoflow => "D_DECL_ENOFLOW",
    /// A declaration that declares nothing.
    DeclUseless => "D_DECL_USELESS",
    /// An associative array declared clause-local.
    DeclLocassc => "D_DECL_LOCASSC",
    /// An object of type `void`.
    DeclVoidobj => "D_DECL_VOIDOBJ",
    /// An object of dynamic type.
    DeclDynobj => "D_DECL_DYNOBJ",
    /// A declaration with an incomplete type.
    DeclIncomplete => "D_DECL_INCOMPLETE",
    /// `...` in a key list.
    DeclProtoVarargs => "D_DECL_PROTO_VARARGS",
    /// A type that a key list cannot hold.
    DeclProtoType => "D_DECL_PROTO_TYPE",
    /// `void` beside other parameters.
    DeclProtoVoid => "D_DECL_PROTO_VOID",
    /// A `void` parameter with a name.
    DeclProtoName => "D_DECL_PROTO_NAME",
    /// A probe's output argument has no input of that name.
    DeclProtoForm => "D_DECL_PROTO_FORM",
    /// `commit()` after `commit()`.
    CommComm => "D_COMM_COMM",
    /// `commit()` after a data-recording action.
    CommDrec => "D_COMM_DREC",
    /// `speculate()` after `speculate()`.
    SpecSpec => "D_SPEC_SPEC",
    /// `speculate()` after `commit()`.
    SpecComm => "D_SPEC_COMM",
    /// `speculate()` after a data-recording action.
    SpecDrec => "D_SPEC_DREC",
    /// An aggregating action after `commit()`.
    AggComm => "D_AGG_COMM",
    /// An aggregating action after `speculate()`.
    AggSpec => "D_AGG_SPEC",
    /// An aggregation statement that does nothing.
    AggNull => "D_AGG_NULL",
    /// An aggregating function's argument is not scalar.
    AggScalar => "D_AGG_SCALAR",
    /// A destructive action after `speculate()`.
    ActSpec => "D_ACT_SPEC",
    /// `exit()` after `speculate()`.
    ExitSpec => "D_EXIT_SPEC",
    /// A data-recording action after `commit()`.
    DrecComm => "D_DREC_COMM",
    /// `printa()` is called wrongly.
    PrintaProto => "D_PRINTA_PROTO",
    /// `printa()` is not given an aggregation.
    PrintaAggarg => "D_PRINTA_AGGARG",
    /// `printa()` of an aggregation that is not defined.
    PrintaAggbad => "D_PRINTA_AGGBAD",
    /// `printa()` of aggregations with different keys.
    PrintaAggkey => "D_PRINTA_AGGKEY",
    /// `printa()` of aggregations with different numbers of keys.
    PrintaAggproto => "D_PRINTA_AGGPROTO",
    /// `trace()` of a `void` value.
    TraceVoid => "D_TRACE_VOID",
    /// `trace()` of a dynamic value.
    TraceDyn => "D_TRACE_DYN",
    /// `tracemem()` of something not an address.
    TracememAddr => "D_TRACEMEM_ADDR",
    /// A `tracemem()` size that is not a constant.
    TracememSize => "D_TRACEMEM_SIZE",
    /// `stack()` is called wrongly.
    StackProto => "D_STACK_PROTO",
    /// A `stack()` size that is not a constant.
    StackSize => "D_STACK_SIZE",
    /// A `ustack()` frame count that is not a constant.
    UstackFrames => "D_USTACK_FRAMES",
    /// A `ustack()` string size that is not a constant.
    UstackStrsize => "D_USTACK_STRSIZE",
    /// `ustack()` is called wrongly.
    UstackProto => "D_USTACK_PROTO",
    /// An `lquantize()` base that is not a constant.
    LquantBasetype => "D_LQUANT_BASETYPE",
    /// An `lquantize()` base out of range.
    LquantBaseval => "D_LQUANT_BASEVAL",
    /// An `lquantize()` limit that is not a constant.
    LquantLimtype => "D_LQUANT_LIMTYPE",
    /// An `lquantize()` limit out of range.
    LquantLimval => "D_LQUANT_LIMVAL",
    /// An `lquantize()` limit below its base.
    LquantMismatch => "D_LQUANT_MISMATCH",
    /// An `lquantize()` step that is not a constant.
    LquantSteptype => "D_LQUANT_STEPTYPE",
    /// An `lquantize()` step out of range.
    LquantStepval => "D_LQUANT_STEPVAL",
    /// An `lquantize()` step that is too large.
    LquantSteplarge => "D_LQUANT_STEPLARGE",
    /// An `lquantize()` step that is too small.
    LquantStepsmall => "D_LQUANT_STEPSMALL",
    /// `quantize()` is called wrongly.
    QuantProto => "D_QUANT_PROTO",
    /// A byte offset beyond the function's end.
    ProcOff => "D_PROC_OFF",
    /// A byte offset that is not on an instruction.
    ProcAlign => "D_PROC_ALIGN",
    /// A bad process probe name.
    ProcName => "D_PROC_NAME",
    /// A process could not be taken hold of.
    ProcGrab => "D_PROC_GRAB",
    /// A process is not dynamically linked.
    ProcDyn => "D_PROC_DYN",
    /// No such library in the process.
    ProcLib => "D_PROC_LIB",
    /// No such function in the process.
    ProcFunc => "D_PROC_FUNC",
    /// A process probe could not be made.
    ProcCreatefail => "D_PROC_CREATEFAIL",
    /// Process tracing is not available.
    ProcNodev => "D_PROC_NODEV",
    /// A bad process id.
    ProcBadpid => "D_PROC_BADPID",
    /// A bad process provider name.
    ProcBadprov => "D_PROC_BADPROV",
    /// A process's static probes could not be read.
    ProcUsdt => "D_PROC_USDT",
    /// `clear()` is called wrongly.
    ClearProto => "D_CLEAR_PROTO",
    /// `clear()` is not given an aggregation.
    ClearAggarg => "D_CLEAR_AGGARG",
    /// `clear()` of an aggregation that is not defined.
    ClearAggbad => "D_CLEAR_AGGBAD",
    /// `normalize()` is called wrongly.
    NormalizeProto => "D_NORMALIZE_PROTO",
    /// A `normalize()` factor that is not scalar.
    NormalizeScalar => "D_NORMALIZE_SCALAR",
    /// `normalize()` is not given an aggregation.
    NormalizeAggarg => "D_NORMALIZE_AGGARG",
    /// `normalize()` of an aggregation that is not defined.
    NormalizeAggbad => "D_NORMALIZE_AGGBAD",
    /// `trunc()` is called wrongly.
    TruncProto => "D_TRUNC_PROTO",
    /// A `trunc()` count that is not scalar.
    TruncScalar => "D_TRUNC_SCALAR",
    /// `trunc()` is not given an aggregation.
    TruncAggarg => "D_TRUNC_AGGARG",
    /// `trunc()` of an aggregation that is not defined.
    TruncAggbad => "D_TRUNC_AGGBAD",
    /// A bad provider name.
    ProvBadname => "D_PROV_BADNAME",
    /// A provider declared twice with different probes.
    ProvIncompat => "D_PROV_INCOMPAT",
    /// A probe declared twice.
    ProvPrdup => "D_PROV_PRDUP",
    /// A probe with too many arguments.
    ProvPrarglen => "D_PROV_PRARGLEN",
    /// A probe's argument has no translator.
    ProvPrxlator => "D_PROV_PRXLATOR",
    /// A bad file name for `freopen()`.
    FreopenInvalid => "D_FREOPEN_INVALID",
    /// `lquantize()` with another base before.
    LquantMatchbase => "D_LQUANT_MATCHBASE",
    /// `lquantize()` with another limit before.
    LquantMatchlim => "D_LQUANT_MATCHLIM",
    /// `lquantize()` with another step before.
    LquantMatchstep => "D_LQUANT_MATCHSTEP",
    /// An `llquantize()` factor that is not a constant.
    LlquantFactortype => "D_LLQUANT_FACTORTYPE",
    /// An `llquantize()` factor out of range.
    LlquantFactorval => "D_LLQUANT_FACTORVAL",
    /// `llquantize()` with another factor before.
    LlquantFactormatch => "D_LLQUANT_FACTORMATCH",
    /// An `llquantize()` low magnitude that is not a constant.
    LlquantLowtype => "D_LLQUANT_LOWTYPE",
    /// An `llquantize()` low magnitude out of range.
    LlquantLowval => "D_LLQUANT_LOWVAL",
    /// `llquantize()` with another low magnitude before.
    LlquantLowmatch => "D_LLQUANT_LOWMATCH",
    /// An `llquantize()` high magnitude that is not a constant.
    LlquantHightype => "D_LLQUANT_HIGHTYPE",
    /// An `llquantize()` high magnitude out of range.
    LlquantHighval => "D_LLQUANT_HIGHVAL",
    /// `llquantize()` with another high magnitude before.
    LlquantHighmatch => "D_LLQUANT_HIGHMATCH",
    /// An `llquantize()` step count that is not a constant.
    LlquantNsteptype => "D_LLQUANT_NSTEPTYPE",
    /// An `llquantize()` step count out of range.
    LlquantNstepval => "D_LLQUANT_NSTEPVAL",
    /// `llquantize()` with another step count before.
    LlquantNstepmatch => "D_LLQUANT_NSTEPMATCH",
    /// An `llquantize()` high magnitude below the low one.
    LlquantMagrange => "D_LLQUANT_MAGRANGE",
    /// Fewer `llquantize()` steps than its factor.
    LlquantFactornsteps => "D_LLQUANT_FACTORNSTEPS",
    /// `llquantize()` steps that the factor does not divide.
    LlquantFactoreven => "D_LLQUANT_FACTOREVEN",
    /// An `llquantize()` low magnitude too small for its steps.
    LlquantFactorsmall => "D_LLQUANT_FACTORSMALL",
    /// An `llquantize()` magnitude beyond 64 bits.
    LlquantMagtoobig => "D_LLQUANT_MAGTOOBIG",
    /// An expression needs more registers than there are.
    Noreg => "D_NOREG",
    /// `printm()` of something not an address.
    PrintmAddr => "D_PRINTM_ADDR",
    /// A `printm()` size that is not a constant.
    PrintmSize => "D_PRINTM_SIZE",
    /// `print()` of a `void` value.
    PrintVoid => "D_PRINT_VOID",
    /// `print()` of a dynamic value.
    PrintDyn => "D_PRINT_DYN",
    /// `trace()` of an aggregation.
    TraceAgg => "D_TRACE_AGG",
    /// `print()` of an aggregation.
    PrintAgg => "D_PRINT_AGG",
    /// `tracemem()` with too many arguments.
    TracememArgs => "D_TRACEMEM_ARGS",
    /// A computed `tracemem()` size that is not scalar.
    TracememDynsize => "D_TRACEMEM_DYNSIZE",
    /// D that HyperTrace does not carry out yet.
    Unsupported => "D_UNSUPPORTED",
}

impl core::fmt::Display for ErrorTag {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl core::str::FromStr for ErrorTag {
    type Err = ();

    fn from_str(name: &str) -> Result<ErrorTag, ()> {
        ErrorTag::ALL.iter().copied().find(|tag| tag.name() == name).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorTag;

    #[test]
    fn names_lead_back_to_their_tags() {
        for &tag in ErrorTag::ALL {
            assert!(tag.name().starts_with("D_"));
            assert_eq!(tag.name().parse(), Ok(tag));
        }
        assert_eq!("D_NO_SUCH_TAG".parse::<ErrorTag>(), Err(()));
    }
}
