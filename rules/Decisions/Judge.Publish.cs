using System.Buffers.Binary;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using PolicyStreams.Rules.Decisions;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <content>What is published of an allowed record: masked value and key, and the producer's headers.</content>
public sealed partial class Judge
{
    // A longer key is no name that a person reads.
    private const int KeyTextBytesMax = 1024;

    private static readonly JsonWriterOptions ViewOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>
    /// The masked view of the record that <paramref name="verdict"/> speaks of: what a release would publish, as plain JSON; written for holds.
    /// Where the masks cannot be applied or the record cannot be read, writes <c>null</c>.
    /// </summary>
    public void WriteMaskedView(CompiledBinding binding, in RecordInput input, Verdict verdict, ByteBuffer json) => WriteMaskedView(binding, input, verdict, json, out _);

    /// <summary>The same, and the key as a release would publish it.</summary>
    /// <param name="key">Its text; null for a null key, for one that is no text by the binding's <c>key_format</c>, and where nothing would be published.</param>
    public void WriteMaskedView(CompiledBinding binding, in RecordInput input, Verdict verdict, ByteBuffer json, out string? key)
    {
        key = null;
        var scratchVerdict = new Verdict();
        var bytes = new ByteBuffer(Math.Max(input.Value.Length, 256));
        JudgeResult result = Release(binding, input, bytes, scratchVerdict);
        int start = json.Length;
        if (result.Decided && scratchVerdict.Outcome == Outcome.Allow) { key = KeyText(binding, input, scratchVerdict); }

        // A denied release (a mask fails, a deny rule of another policy) has no view: nothing would be published.
        if (result.Decided && scratchVerdict.Outcome == Outcome.Allow && input.HasValue && Payload(binding, input, scratchVerdict, out RecordSchema? schema, out ReadOnlySpan<byte> payload))
        {
            using var writer = new Utf8JsonWriter(json, ViewOptions);
            if (schema!.WriteReadable(payload, writer) == DecodeOutcome.Decoded)
            {
                writer.Flush();
                bytes.Clear(zero: true);
                return;
            }

            writer.Reset();
        }

        json.Truncate(start);
        json.Append("null"u8);
        bytes.Clear(zero: true);
    }

    private static string? KeyText(CompiledBinding binding, in RecordInput input, Verdict verdict)
    {
        if (verdict.KeyNulled || !input.HasKey) { return null; }
        ReadOnlySpan<byte> key = verdict.KeyRewritten ? verdict.Output.Slice(verdict.KeyStart, verdict.KeyLength) : input.Key;
        return binding.Document.KeyFormat switch
        {
            KeyFormat.String or KeyFormat.Json when key.Length <= KeyTextBytesMax && Utf8.IsValid(key) => Encoding.UTF8.GetString(key),
            KeyFormat.Long when key.Length == 8 => BinaryPrimitives.ReadInt64BigEndian(key).ToString(System.Globalization.CultureInfo.InvariantCulture),
            KeyFormat.Avro when KeyPayload(binding, input, key, out RecordSchema? schema, out ReadOnlySpan<byte> payload) => ReadableKey(schema!, payload),
            _ => null,
        };
    }

    private static string? ReadableKey(RecordSchema schema, ReadOnlySpan<byte> payload)
    {
        var text = new ByteBuffer(256);
        using var writer = new Utf8JsonWriter(text, ViewOptions);
        if (schema.WriteReadable(payload, writer) != DecodeOutcome.Decoded) { return null; }
        writer.Flush();
        return text.Length <= KeyTextBytesMax ? Encoding.UTF8.GetString(text.Written) : null;
    }

    /// <summary>A key without its frame, and the schema that reads it. False for a key that has none.</summary>
    /// <param name="key">The record's key, or what a mask made of it: the frame is the same.</param>
    internal static bool KeyPayload(CompiledBinding binding, in RecordInput input, ReadOnlySpan<byte> key, out RecordSchema? schema, out ReadOnlySpan<byte> payload)
    {
        schema = null;
        payload = default;
        if (binding.Key.Writers is not { } writers) { return false; }
        if (ReadKeyFrame(binding.Key, input.Headers, key, out SchemaFrame frame) != DecodeOutcome.Decoded || frame.Unsettled) { return false; }
        schema = writers.Find(frame.Schema)?.Schema;
        payload = key[frame.PayloadStart..];
        return schema is not null;
    }

    /// <summary>The published value without its frame, and the schema that reads it. False for a null value.</summary>
    internal static bool Payload(CompiledBinding binding, in RecordInput input, Verdict verdict, out RecordSchema? schema, out ReadOnlySpan<byte> payload)
    {
        schema = null;
        payload = default;
        if (!input.HasValue || ReadFrame(binding, input, out SchemaFrame frame) != DecodeOutcome.Decoded || frame.Unsettled) { return false; }
        Writer? writer = binding.Find(frame.Schema);
        schema = writer?.Schema;
        if (writer?.Indexes is { } indexes && !binding.Unframed && ReadIndexes(binding, indexes, input, ref frame, out bool _) != DecodeOutcome.Decoded) { return false; }
        payload = verdict.ValueRewritten ? verdict.Output.Slice(verdict.ValueStart, verdict.ValueLength)[frame.PayloadStart..] : input.Value[frame.PayloadStart..];
        return schema is not null;
    }

    /// <summary>Sets the bits of masks that find something to mask, and readies the maskers.</summary>
    private void FireMasks(CompiledBinding binding, BindingScratch scratch, in RecordInput input, in Reading reading)
    {
        foreach (CompiledMask mask in binding.Masks) { scratch.Values.Enabled[mask.Selector] = Enforced(binding, scratch, mask); }
        foreach (ref readonly MaskSite site in _frame.Sites.AsSpan(0, _frame.SiteCount))
        {
            int rule = binding.Masks[site.Selector].Rule;
            if (site.Kind != ValueKind.Null && scratch.MaskHolds[rule]) { scratch.Set(rule); }
        }

        foreach (CompiledMask mask in binding.HeaderMasks)
        {
            if (!scratch.MaskHolds[mask.Rule]) { continue; }
            for (int i = 0; i < input.Headers.Count; i++)
            {
                if (!input.Headers.IsNull(i) && input.Headers.Name(i).SequenceEqual(mask.HeaderName)) { scratch.Set(mask.Rule); }
            }
        }

        if (!input.HasKey) { return; }
        foreach (CompiledMask mask in binding.WholeKeyMasks)
        {
            if (scratch.MaskHolds[mask.Rule]) { scratch.Set(mask.Rule); }
        }

        if (reading.KeyWriter is not null && binding.Key.Masks.Length > 0) { FireKeyMasks(binding, scratch); }
    }

    private void FireKeyMasks(CompiledBinding binding, BindingScratch scratch)
    {
        foreach (CompiledMask mask in binding.Key.Masks) { scratch.Keys.Enabled[mask.Selector] = Enforced(binding, scratch, mask); }
        foreach (ref readonly MaskSite site in _keyFrame.Sites.AsSpan(0, _keyFrame.SiteCount))
        {
            int rule = binding.Key.Masks[site.Selector].Rule;
            if (site.Kind != ValueKind.Null && scratch.MaskHolds[rule]) { scratch.Set(rule); }
        }
    }

    private static bool Enforced(CompiledBinding binding, BindingScratch scratch, CompiledMask mask) => scratch.MaskHolds[mask.Rule] && !binding.Rules[mask.Rule].Document.Shadow;

    private void Publish(CompiledBinding binding, BindingScratch scratch, in RecordInput input, in Reading reading, ByteBuffer output, Verdict verdict)
    {
        scratch.Entries.Begin();
        int start = output.Length;
        if (PublishValue(scratch, input, reading, output, verdict) && PublishKey(binding, scratch, input, reading, output, verdict) && PublishHeaders(binding, scratch, input, verdict))
        {
            verdict.MaskedSet = scratch.Entries.Set();
            return;
        }

        output.Truncate(start);
        verdict.ValueRewritten = verdict.KeyRewritten = verdict.KeyNulled = false;
        verdict.Headers.Clear();
        DenyMask(scratch, verdict);
    }

    private static void DenyMask(BindingScratch scratch, Verdict verdict)
    {
        scratch.Set(scratch.MaskBit);
        verdict.Fired = scratch.Fired();
    }

    private static bool MaskFailed(CompiledBinding binding, Verdict verdict, CompiledMask? mask, string code)
    {
        string rule = mask is null ? SystemCauses.Mask : binding.Rules[mask.Rule].Document.Id;
        verdict.Errors.Add(new DecisionError(rule, code.Length > 0 ? code : "mask-value"));
        return false;
    }

    private bool PublishValue(BindingScratch scratch, in RecordInput input, in Reading reading, ByteBuffer output, Verdict verdict)
    {
        if (!input.HasValue || !(_frame.MustRewrite || scratch.Values.HasWork(_frame))) { return true; }
        SiteMasker masker = scratch.Values;
        RecordProgram program = reading.Writer!.Program!;
        masker.Begin(input, program);
        int start = output.Length;
        output.Append(input.Value[..reading.PayloadStart]);
        RewriteOutcome rewritten = program.Rewrite(input.Value[reading.PayloadStart..], _frame, masker, output);
        if (rewritten == RewriteOutcome.NotOfSchema) { return MaskFailed(verdict.Binding, verdict, null, "mask-schema"); }
        if (rewritten != RewriteOutcome.Written) { return MaskFailed(verdict.Binding, verdict, masker.Failed, masker.FailCode); }
        if (masker.Applied == 0 && !_frame.MustRewrite)
        {
            output.Truncate(start);
            return true;
        }

        verdict.ValueRewritten = true;
        verdict.ValueStart = start;
        verdict.ValueLength = output.Length - start;
        return true;
    }

    private bool PublishKey(CompiledBinding binding, BindingScratch scratch, in RecordInput input, in Reading reading, ByteBuffer output, Verdict verdict)
    {
        if (!input.HasKey) { return true; }
        int start = output.Length;
        foreach (CompiledMask mask in binding.WholeKeyMasks)
        {
            if (!Enforced(binding, scratch, mask)) { continue; }
            switch (mask.Method)
            {
                case MaskMethod.Redact:
                    verdict.KeyNulled = true;
                    break;
                case MaskMethod.Bucket:
                    if (input.Key.Length != 8 || mask.Document.WholeBucket is not { } width || SiteMasker.FloorTo(BinaryPrimitives.ReadInt64BigEndian(input.Key), width) is not { } bucket) { return MaskFailed(binding, verdict, mask, "mask-type"); }
                    BinaryPrimitives.WriteInt64BigEndian(output.GetSpan(8), bucket);
                    output.Advance(8);
                    break;
                default:
                    if (!TryMaskText(scratch, mask, input, input.Key, output)) { return MaskFailed(binding, verdict, mask, "mask-value"); }
                    break;
            }

            KeyDone(scratch, mask, verdict, output, start);
            return true;
        }

        return binding.Key.Masks.Length == 0 || PublishKeyFields(scratch, input, reading, output, verdict);
    }

    private static void KeyDone(BindingScratch scratch, CompiledMask mask, Verdict verdict, ByteBuffer output, int start)
    {
        scratch.Entries.Mark(scratch.Entries.Of(mask, mask.PathText));
        if (verdict.KeyNulled) { return; }
        verdict.KeyRewritten = true;
        verdict.KeyStart = start;
        verdict.KeyLength = output.Length - start;
    }

    private bool PublishKeyFields(BindingScratch scratch, in RecordInput input, in Reading reading, ByteBuffer output, Verdict verdict)
    {
        SiteMasker masker = scratch.Keys;
        if (!masker.HasWork(_keyFrame)) { return true; }
        RecordProgram program = reading.KeyWriter!.Program!;
        int payload = reading.KeyStart;
        masker.Begin(input, program);
        int start = output.Length;
        output.Append(input.Key[..payload]);
        if (program.Rewrite(input.Key[payload..], _keyFrame, masker, output) != RewriteOutcome.Written) { return MaskFailed(verdict.Binding, verdict, masker.Failed, masker.FailCode); }
        if (masker.Applied == 0)
        {
            output.Truncate(start);
            return true;
        }

        verdict.KeyRewritten = true;
        verdict.KeyStart = start;
        verdict.KeyLength = output.Length - start;
        return true;
    }

    private bool PublishHeaders(CompiledBinding binding, BindingScratch scratch, in RecordInput input, Verdict verdict)
    {
        BindingDocument document = binding.Document;
        if (document.Headers == HeaderChoice.Drop) { return true; }
        for (int i = 0; i < input.Headers.Count; i++)
        {
            ReadOnlySpan<byte> name = input.Headers.Name(i);
            if (name.StartsWith("ps-"u8) || (document.Headers == HeaderChoice.Names && !binding.KeepsHeader(name))) { continue; }
            CompiledMask? mask = input.Headers.IsNull(i) ? null : HeaderMask(binding, scratch, name);
            if (mask is null)
            {
                verdict.Headers.Add(name, input.Headers.Value(i), input.Headers.IsNull(i));
                continue;
            }

            scratch.Entries.Mark(scratch.Entries.Of(mask, mask.PathText));
            if (mask.Method == MaskMethod.Remove) { continue; }
            if (mask.Method == MaskMethod.Redact)
            {
                verdict.Headers.Add(name, default, isNull: true);
                continue;
            }

            _masked.Clear();
            if (!TryMaskText(scratch, mask, input, input.Headers.Value(i), _masked)) { return MaskFailed(binding, verdict, mask, "mask-value"); }
            verdict.Headers.Add(name, _masked.Written);
        }

        return true;
    }

    private static CompiledMask? HeaderMask(CompiledBinding binding, BindingScratch scratch, ReadOnlySpan<byte> name)
    {
        foreach (CompiledMask mask in binding.HeaderMasks)
        {
            if (name.SequenceEqual(mask.HeaderName) && Enforced(binding, scratch, mask)) { return mask; }
        }

        return null;
    }

    private static bool TryMaskText(BindingScratch scratch, CompiledMask mask, in RecordInput input, ReadOnlySpan<byte> text, ByteBuffer output)
    {
        // A constant takes any bytes' place; what looks at text needs text.
        if (mask.Method != MaskMethod.Constant && !Utf8.IsValid(text)) { return false; }
        var place = new MaskPlace { Topic = input.Topic, Partition = input.Partition, Offset = input.Offset, Path = mask.PathText };
        int start = output.Length;
        if (!scratch.Texts.TryMask(mask, text, place, output, out bool changed)) { return false; }
        if (changed) { return true; }
        output.Truncate(start);
        output.Append(text);
        return true;
    }
}
