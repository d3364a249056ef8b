namespace PolicyStreams.Schemas;

/// <summary>What a value is to a rule, in every format: the left column of DESIGN's type table folded onto CEL's types.</summary>
public enum ValueKind : byte
{
    /// <summary>Nothing was captured: the field, or a record around it, is not there. Reading it is an evaluation error.</summary>
    Absent = 0,
    Null,
    Bool,
    /// <summary>64-bit signed: Avro int and long, Protobuf ints, JSON Schema integer.</summary>
    Int,
    /// <summary>64-bit unsigned: Protobuf only.</summary>
    UInt,
    Double,
    /// <summary>UTF-8 text: string, uuid, enum symbol.</summary>
    String,
    Bytes,
    /// <summary>Unscaled two's-complement big-endian integer with a scale.</summary>
    Decimal,
    /// <summary>An instant in UTC, or a date at midnight: seconds and nanoseconds since the Unix epoch.</summary>
    Timestamp,
    /// <summary>Seconds and nanoseconds, same sign: time of day as the span since midnight.</summary>
    Duration,
    /// <summary>Avro duration: a map of <c>months</c>, <c>days</c>, <c>millis</c> (ints).</summary>
    CalendarDuration,
    List,
    /// <summary>String to value. Protobuf maps may have bool or integer keys.</summary>
    Map,
    Record,
    /// <summary>A union of more than one type beside null, or JSON without a schema: known at run time only.</summary>
    Dyn,
}
