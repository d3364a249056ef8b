namespace PolicyStreams.Rules.Cel;

/// <summary>What a condition came to.</summary>
public enum Truth : byte { False, True, Error }

/// <summary>Why an evaluation failed. Never carries a value.</summary>
public enum EvalError : byte
{
    None = 0,
    /// <summary>An operand or argument has a type that the operation does not take.</summary>
    Type,
    /// <summary>A result outside the range of its type.</summary>
    Overflow,
    DivideByZero,
    /// <summary>A null where a value is needed.</summary>
    NullUse,
    /// <summary>A field that the record lacks, or whose enclosing record is null.</summary>
    NoSuchField,
    NoSuchKey,
    /// <summary>A list index out of bounds.</summary>
    Index,
    /// <summary>A value that cannot be converted: text that is no number, bytes that are not UTF-8.</summary>
    Conversion,
    /// <summary>An argument outside what the function takes.</summary>
    Argument,
    /// <summary>A header that the record carries more than once.</summary>
    RepeatedHeader,
    /// <summary>A header's name or value that is not UTF-8.</summary>
    HeaderText,
    /// <summary>The key's bytes are not of the key's format.</summary>
    KeyFormat,
    /// <summary>A JSON integer beyond 2^53.</summary>
    NumberRange,
    /// <summary>More work or memory than one evaluation may take.</summary>
    TooLarge,
    /// <summary>A map literal with the same key twice.</summary>
    DuplicateKey,
}

/// <summary>The spelling of evaluation errors in decisions. Fixed; other programs read it.</summary>
public static class EvalErrors
{
    public static string Code(EvalError error) => error switch
    {
        EvalError.None => "none",
        EvalError.Type => "type",
        EvalError.Overflow => "overflow",
        EvalError.DivideByZero => "divide-by-zero",
        EvalError.NullUse => "null-use",
        EvalError.NoSuchField => "no-such-field",
        EvalError.NoSuchKey => "no-such-key",
        EvalError.Index => "index",
        EvalError.Conversion => "conversion",
        EvalError.Argument => "argument",
        EvalError.RepeatedHeader => "repeated-header",
        EvalError.HeaderText => "header-text",
        EvalError.KeyFormat => "key-format",
        EvalError.NumberRange => "number-range",
        EvalError.TooLarge => "too-large",
        EvalError.DuplicateKey => "duplicate-key",
        _ => throw new ArgumentOutOfRangeException(nameof(error), error, "Not an evaluation error."),
    };
}
