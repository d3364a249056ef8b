namespace PolicyStreams.Schemas.Protobuf;

/// <summary>Files that every registry and compiler has: their imports need no reference.</summary>
internal static class ProtoWellKnownFiles
{
    private const string Google = "syntax = \"proto3\"; package google.protobuf; ";
    private const string GoogleType = "syntax = \"proto3\"; package google.type; ";

    private static readonly Dictionary<string, string> Texts = new(StringComparer.Ordinal)
    {
        ["google/protobuf/any.proto"] = Google + "message Any { string type_url = 1; bytes value = 2; }",
        ["google/protobuf/duration.proto"] = Google + "message Duration { int64 seconds = 1; int32 nanos = 2; }",
        ["google/protobuf/timestamp.proto"] = Google + "message Timestamp { int64 seconds = 1; int32 nanos = 2; }",
        ["google/protobuf/empty.proto"] = Google + "message Empty {}",
        ["google/protobuf/field_mask.proto"] = Google + "message FieldMask { repeated string paths = 1; }",
        ["google/protobuf/source_context.proto"] = Google + "message SourceContext { string file_name = 1; }",
        ["google/protobuf/struct.proto"] = Google + """
            message Struct { map<string, Value> fields = 1; }
            message Value { oneof kind { NullValue null_value = 1; double number_value = 2; string string_value = 3; bool bool_value = 4; Struct struct_value = 5; ListValue list_value = 6; } }
            enum NullValue { NULL_VALUE = 0; }
            message ListValue { repeated Value values = 1; }
            """,
        ["google/protobuf/wrappers.proto"] = Google + """
            message DoubleValue { double value = 1; } message FloatValue { float value = 1; } message Int64Value { int64 value = 1; } message UInt64Value { uint64 value = 1; }
            message Int32Value { int32 value = 1; } message UInt32Value { uint32 value = 1; } message BoolValue { bool value = 1; } message StringValue { string value = 1; }
            message BytesValue { bytes value = 1; }
            """,

        // Only its options are ever named, and those are read without it.
        ["google/protobuf/descriptor.proto"] = """
            syntax = "proto2"; package google.protobuf;
            message FileOptions { extensions 1000 to max; } message MessageOptions { extensions 1000 to max; } message FieldOptions { extensions 1000 to max; }
            message OneofOptions { extensions 1000 to max; } message EnumOptions { extensions 1000 to max; } message EnumValueOptions { extensions 1000 to max; }
            message ServiceOptions { extensions 1000 to max; } message MethodOptions { extensions 1000 to max; } message ExtensionRangeOptions { extensions 1000 to max; }
            """,
        ["google/type/date.proto"] = GoogleType + "message Date { int32 year = 1; int32 month = 2; int32 day = 3; }",
        ["google/type/timeofday.proto"] = GoogleType + "message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }",
        ["google/type/dayofweek.proto"] = GoogleType + "enum DayOfWeek { DAY_OF_WEEK_UNSPECIFIED = 0; MONDAY = 1; TUESDAY = 2; WEDNESDAY = 3; THURSDAY = 4; FRIDAY = 5; SATURDAY = 6; SUNDAY = 7; }",
        ["google/type/money.proto"] = GoogleType + "message Money { string currency_code = 1; int64 units = 2; int32 nanos = 3; }",
        ["google/type/latlng.proto"] = GoogleType + "message LatLng { double latitude = 1; double longitude = 2; }",
        ["google/type/color.proto"] = GoogleType + "import \"google/protobuf/wrappers.proto\"; message Color { float red = 1; float green = 2; float blue = 3; google.protobuf.FloatValue alpha = 4; }",
        ["google/type/fraction.proto"] = GoogleType + "message Fraction { int64 numerator = 1; int64 denominator = 2; }",
        ["google/type/interval.proto"] = GoogleType + "import \"google/protobuf/timestamp.proto\"; message Interval { google.protobuf.Timestamp start_time = 1; google.protobuf.Timestamp end_time = 2; }",
        ["google/type/quaternion.proto"] = GoogleType + "message Quaternion { double x = 1; double y = 2; double z = 3; double w = 4; }",
        ["google/type/postal_address.proto"] = GoogleType + """
            message PostalAddress { int32 revision = 1; string region_code = 2; string language_code = 3; string postal_code = 4; string sorting_code = 5; string administrative_area = 6;
              string locality = 7; string sublocality = 8; repeated string address_lines = 9; repeated string recipients = 10; string organization = 11; }
            """,
        ["confluent/meta.proto"] = """
            syntax = "proto3"; package confluent; import "google/protobuf/descriptor.proto";
            message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
            """,
        ["confluent/type/decimal.proto"] = "syntax = \"proto3\"; package confluent.type; message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }",
    };

    public static string? Text(string name) => Texts.GetValueOrDefault(name);

    /// <summary>What a message of the well-known files is to rules.</summary>
    public static ProtoWellKnown Of(string fullName) => fullName switch
    {
        "google.protobuf.Timestamp" => ProtoWellKnown.Timestamp,
        "google.protobuf.Duration" => ProtoWellKnown.Duration,
        "google.protobuf.DoubleValue" or "google.protobuf.FloatValue" or "google.protobuf.Int64Value" or "google.protobuf.UInt64Value" or "google.protobuf.Int32Value"
            or "google.protobuf.UInt32Value" or "google.protobuf.BoolValue" or "google.protobuf.StringValue" or "google.protobuf.BytesValue" => ProtoWellKnown.Wrapper,
        _ => ProtoWellKnown.None,
    };
}
