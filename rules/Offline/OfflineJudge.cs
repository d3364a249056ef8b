using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>How records are written on the lines that <see cref="OfflineJudge"/> reads.</summary>
public enum RecordLineFormat : byte
{
    /// <summary>Plain JSON typed by the schema.</summary>
    Json,
    /// <summary>The value's bytes in hexadecimal, of JSON without its frame; an empty line is an empty value.</summary>
    Hex,
}

/// <summary>Judges records a line at a time with the same core as the processor. One a thread: it owns the scratch.</summary>
/// <param name="principal">Who produced the records; null takes the binding's own (identity <c>topic</c>), else nobody.</param>
/// <param name="timeMs">Time of decisions and records, in milliseconds since the Unix epoch: the host's clock, or any instant that shall be the same in every run.</param>
public sealed class OfflineJudge(CompiledBinding binding, Principal? principal = null, long timeMs = 0) : IDisposable
{
    private const int LineBytesMost = 256 * 1024 * 1024;
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };
    private static readonly JsonDocumentOptions Reading = new() { MaxDepth = 512 };

    private readonly Judge _judge = new();
    private readonly Verdict _verdict = new();
    private readonly ByteBuffer _input = new();
    private readonly ByteBuffer _output = new();
    private readonly Utf8JsonWriter _json = new(Stream.Null, Options);
    private readonly Principal _principal = principal ?? binding.Document.TopicPrincipal;

    /// <summary>Judges the record of one line and appends its answer with a newline: <c>{"decision":{…},"value":…,"hex":…}</c>.</summary>
    /// <param name="line">Without its line ending; at most <see cref="LineBytesMax"/> bytes (see <see cref="JudgeTooLong"/>).</param>
    /// <param name="number">From 0; it is the decision's offset and <c>seq</c>.</param>
    /// <returns>
    /// Null, or why there is no record on the line: its decision is then <c>deny</c> for <c>ps:undecodable</c>, as a record that cannot be read gets one. Never holds any of the line.
    /// </returns>
    public string? Judge(ReadOnlySpan<byte> line, RecordLineFormat format, long number, ByteBuffer answers)
    {
        if (line.Length > LineBytesMax(format)) { return JudgeTooLong(number, answers); }
        string? fault = Read(line, format, out string code);
        _output.Clear();
        RecordInput input = Input(number, fault is null ? _input.Written : default);
        if (fault is not null)
        {
            _judge.Deny(binding, input, SystemCauses.Undecodable, code, _verdict);
            Answer(input, number, answers);
            return fault;
        }

        while (true)
        {
            JudgeResult result = _judge.Decide(binding, input, _output, _verdict);
            if (result.Decided) { break; }

            // Offline there is nobody to ask: what the subject's versions do not have is unknown.
            binding.AnswerUnknown(result);
        }

        Answer(input, number, answers);
        return null;
    }

    /// <summary>Answers for a line that was not read to its end, because no record on it could be within the binding's limit: <c>ps:limit</c>.</summary>
    /// <returns>Why there is no record.</returns>
    public string JudgeTooLong(long number, ByteBuffer answers)
    {
        RecordInput input = Input(number, default);
        _judge.Deny(binding, input, SystemCauses.Limit, "record-bytes", _verdict);
        Answer(input, number, answers);
        return "the line is longer than any record within `limits: { record_bytes }`";
    }

    /// <summary>The record's value on a line, framed where the binding's are. Null with why there is none; never with any of the line.</summary>
    public byte[]? Value(ReadOnlySpan<byte> line, RecordLineFormat format, out string fault)
    {
        fault = line.Length > LineBytesMax(format) ? "the line is longer than any record within `limits: { record_bytes }`" : Read(line, format, out _) ?? "";
        return fault.Length == 0 ? _input.Written.ToArray() : null;
    }

    /// <summary>Length of a line beyond which no record on it is within the binding's limit: 256 MiB, and less for JSON that is parsed as a whole.</summary>
    public int LineBytesMax(RecordLineFormat format) =>
        format == RecordLineFormat.Hex || binding.CheckedSchema.Format == SchemaFormat.Json ? LineBytesMost

            // A byte of the record may be a whole `"name":null,` of its text.
            : (int)Math.Min((64L * binding.Document.RecordBytesMax) + (64 * 1024), LineBytesMost);

    private RecordInput Input(long number, ReadOnlySpan<byte> value) => new()
    {
        Topic = binding.Document.Topics.Ingress,
        Offset = number,
        TimestampMs = timeMs,
        HasValue = true,
        Value = value,
        Headers = RecordHeaders.Empty,
        Principal = _principal,
    };

    public void Dispose() => _json.Dispose();

    private void Answer(in RecordInput input, long number, ByteBuffer answers)
    {
        bool published = _verdict.Outcome == Outcome.Allow;
        ReadOnlySpan<byte> bytes = !published ? default : _verdict.ValueRewritten ? _output.Slice(_verdict.ValueStart, _verdict.ValueLength) : input.Value;

        // As the processor writes it: over the bytes that go out, which are the original where the record is rejected or held.
        // There is no audit key here: of an original, no digest is written.
        ReadOnlySpan<byte> written = published ? bytes : default;
        Span<byte> digest = stackalloc byte[32];
        if (!written.IsEmpty) { SHA256.HashData(written, digest); }
        var facts = new DecisionFacts
        {
            Topic = input.Topic,
            Offset = number,
            IdSuffix = "",
            Event = "decided",
            Seq = number,
            TimeMs = timeMs,
            After = written.IsEmpty ? default : digest,
        };
        answers.Append("{\"decision\":"u8);
        DecisionWriter.Write(answers, _verdict, _principal, facts, full: true);
        answers.Append(",\"value\":"u8);
        if (!published || !PolicyStreams.Rules.Judge.Payload(binding, input, _verdict, out RecordSchema? schema, out ReadOnlySpan<byte> payload) || !WriteValue(schema!, payload, answers))
        {
            answers.Append("null"u8);
        }

        answers.Append(",\"hex\":"u8);
        if (published)
        {
            answers.Append((byte)'"');
            Convert.TryToHexStringLower(bytes, answers.GetSpan(Math.Max(2 * bytes.Length, 1)), out int digits);
            answers.Advance(digits);
            answers.Append("\"}\n"u8);
        }
        else { answers.Append("null}\n"u8); }
    }

    private bool WriteValue(RecordSchema schema, ReadOnlySpan<byte> payload, ByteBuffer answers)
    {
        int start = answers.Length;
        _json.Reset(answers);
        if (schema.WriteJson(payload, _json) == DecodeOutcome.Decoded)
        {
            _json.Flush();
            return true;
        }

        _json.Reset();
        answers.Truncate(start);
        return false;
    }

    private string? Read(ReadOnlySpan<byte> line, RecordLineFormat format, out string code)
    {
        _input.Clear();
        code = "malformed";
        if (format == RecordLineFormat.Hex)
        {
            line = line.Trim(" \t\r"u8);
            if (line.Length > 0 && !binding.Unframed && binding.CheckedSchema.Format == SchemaFormat.Json) { binding.AppendFrame(_input); }
            if (line.Length % 2 != 0) { return "an odd number of hexadecimal digits"; }
            if (Convert.FromHexString(line, _input.GetSpan(Math.Max(line.Length / 2, 1)), out _, out int written) != System.Buffers.OperationStatus.Done) { return "not hexadecimal"; }
            _input.Advance(written);
            return null;
        }

        RecordSchema schema = binding.CheckedSchema;

        // JSON is its own encoding: whatever is wrong with it is the judge's to say.
        if (schema.Format == SchemaFormat.Json)
        {
            if (!binding.Unframed) { binding.AppendFrame(_input); }
            _input.Append(line);
            return null;
        }

        try
        {
            if (!binding.Unframed) { binding.AppendFrame(_input); }
            if (schema.TryEncodeJson(line, _input)) { return null; }
            var reader = new Utf8JsonReader(line, new JsonReaderOptions { MaxDepth = Reading.MaxDepth });
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            if (reader.BytesConsumed < line.Length && line[(int)reader.BytesConsumed..].ContainsAnyExcept(" \t\r\n"u8)) { return "more than one JSON value"; }
            schema.EncodeJson(document.RootElement, _input);
            return null;
        }
        catch (JsonException)
        {
            return "not JSON";
        }
        catch (SchemaException fault)
        {
            code = "invalid";
            return fault.Message;
        }
    }
}
