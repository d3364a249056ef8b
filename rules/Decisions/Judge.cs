using System.Numerics;
using System.Runtime.CompilerServices;
using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Decisions;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Protobuf;

namespace PolicyStreams.Rules;

/// <summary>
/// The policy decision point: one a stream thread, reused record after record (it owns the scratch). Pure: no clock, file, or network.
/// </summary>
public sealed partial class Judge
{
    private readonly ConditionalWeakTable<CompiledBinding, BindingScratch> _scratches = [];
    private readonly CaptureFrame _frame = new();
    private readonly CaptureFrame _keyFrame = new();
    private readonly ByteBuffer _masked = new(256);
    private readonly KeyedHashFactory _hashes;
    private CompiledBinding? _lastBinding;
    private BindingScratch _lastScratch = null!;

    /// <param name="hashes">What masks hash with; default .NET's.</param>
    public Judge(KeyedHashFactory? hashes = null) => _hashes = hashes ?? KeyedHash.OfNet;

    /// <summary>Counts which way conditions went, for policy tests; null on the record path.</summary>
    internal ConditionCoverage? Coverage { get; set; }

    private enum Stage : byte
    {
        /// <summary>The verdict is complete.</summary>
        Decided,
        /// <summary>Rules have spoken; what is published is still to be made where they allow.</summary>
        Judged,
        /// <summary>The record's schema is not known yet.</summary>
        Unknown,
    }

    /// <summary>Judges one record; masks included. The same input and policy give the same verdict and bytes.</summary>
    /// <param name="output">Rewritten bytes are appended here.</param>
    /// <param name="verdict">Overwritten.</param>
    /// <returns>Not decided only where the record's schema id is not known to the binding yet: fetch it, call <see cref="CompiledBinding.Answer"/>, ask again.</returns>
    public JudgeResult Decide(CompiledBinding binding, in RecordInput input, ByteBuffer output, Verdict verdict)
    {
        BindingScratch scratch = Scratch(binding);
        Stage stage = Evaluate(binding, scratch, input, output, verdict, out Reading reading);
        if (stage == Stage.Unknown) { return Needed(reading); }
        if (stage == Stage.Judged)
        {
            FiredSet fired = scratch.Fired();
            verdict.Fired = fired;
            if (fired.Outcome == Outcome.Allow) { Publish(binding, scratch, input, reading, output, verdict); }
        }

        return JudgeResult.Done;
    }

    /// <summary>
    /// Judges a held record whose terms are met: as <see cref="Decide"/>, but holds no longer hold. Allowed with masks and route of now, or denied: by a deny rule,
    /// because a mask cannot be applied, or because the record cannot be read by its schema.
    /// </summary>
    /// <remarks>Call it after <see cref="Decide"/> gave Hold and the statements satisfy every one of its <see cref="Verdict.Holds"/>.</remarks>
    public JudgeResult Release(CompiledBinding binding, in RecordInput input, ByteBuffer output, Verdict verdict)
    {
        BindingScratch scratch = Scratch(binding);
        Stage stage = Evaluate(binding, scratch, input, output, verdict, out Reading reading);
        if (stage == Stage.Unknown) { return Needed(reading); }
        if (stage == Stage.Decided)
        {
            // A schema mismatch is mended by a policy or a schema, never by approval: the masks that the policy names cannot all be applied.
            if (verdict.Outcome == Outcome.Hold) { verdict.Fired = scratch.Cause(SystemCauses.SchemaMismatch, terms: null); }
            return JudgeResult.Done;
        }

        scratch.Set(scratch.ReleaseBit);
        verdict.Fired = scratch.Fired();
        if (verdict.Outcome != Outcome.Allow) { return JudgeResult.Done; }
        if (scratch.MaskUnknown) { DenyMask(scratch, verdict); }
        else { Publish(binding, scratch, input, reading, output, verdict); }
        return JudgeResult.Done;
    }

    /// <summary>A verdict of the system's own: denied for one cause (<c>ps:output-refused</c>).</summary>
    public void Deny(CompiledBinding binding, in RecordInput input, string cause, string code, Verdict verdict)
    {
        int? schema = ReferenceEquals(verdict.Binding, binding) ? verdict.SchemaId : null;
        verdict.Begin(binding, verdict.Output);
        verdict.SchemaId = schema;
        verdict.Fired = Scratch(binding).Cause(cause, terms: null);
        verdict.Errors.Add(new DecisionError(cause, code));
    }

    private BindingScratch Scratch(CompiledBinding binding)
    {
        if (ReferenceEquals(binding, _lastBinding)) { return _lastScratch; }
        if (!_scratches.TryGetValue(binding, out BindingScratch? scratch))
        {
            scratch = new BindingScratch(binding, _hashes);
            _scratches.Add(binding, scratch);
        }

        (_lastBinding, _lastScratch) = (binding, scratch);
        return scratch;
    }

    private static JudgeResult Needed(in Reading reading) =>
        reading.Schema.Kind == SchemaRefKind.Guid
            ? new JudgeResult(false, 0) { NeededSchemaGuid = reading.Schema.Guid, OfKey = reading.AtKey }
            : new JudgeResult(false, (int)reading.Schema.Id) { OfKey = reading.AtKey };

    /// <summary>What of a record is known once its frame was read.</summary>
    private struct Reading
    {
        public SchemaRef Schema;
        public int PayloadStart;
        public Writer? Writer;

        /// <summary>True once the key is what is being read: <see cref="Schema"/> is then the key's.</summary>
        public bool AtKey;
        public int KeyStart;

        /// <summary>Null where the key is null, or has no schema.</summary>
        public Writer? KeyWriter;
    }

    /// <summary>Limits, framing, writer, walk, and all rules, in this order. Leaves what fired in the scratch.</summary>
    private Stage Evaluate(CompiledBinding binding, BindingScratch scratch, in RecordInput input, ByteBuffer output, Verdict verdict, out Reading reading)
    {
        reading = default;
        verdict.Begin(binding, output);
        scratch.Begin();
        BindingDocument document = binding.Document;
        if (input.Value.Length > document.RecordBytesMax) { return Cause(scratch, verdict, SystemCauses.Limit, "record-bytes"); }
        if (input.Headers.Count > document.HeadersMax) { return Cause(scratch, verdict, SystemCauses.Limit, "headers"); }
        if (!input.HasValue)
        {
            if (document.Tombstones == TombstoneChoice.Deny) { return Cause(scratch, verdict, SystemCauses.Tombstone, "null-value"); }
            if (document.Tombstones == TombstoneChoice.Hold) { scratch.Set(scratch.TombstoneBit); }
            _frame.Begin(binding.Plan.Root.SlotCount, []);
        }
        else
        {
            DecodeOutcome outcome = ReadFrame(binding, input, out SchemaFrame frame);
            if (outcome != DecodeOutcome.Decoded) { return Cause(scratch, verdict, SystemCauses.Undecodable, DecodeOutcomes.Code(outcome)); }
            reading.Schema = frame.Schema;
            if (frame.Unsettled) { return Stage.Unknown; }
            reading.PayloadStart = frame.PayloadStart;
            Writer? writer = reading.Writer = scratch.LastWriter is { } last && frame.Schema.Kind == SchemaRefKind.Id && frame.Schema.Id == last.SchemaId ? last : Find(binding, scratch, frame.Schema);
            if (writer is null) { return Stage.Unknown; }
            if (writer.SchemaId > 0) { verdict.SchemaId = writer.SchemaId; }
            if (writer.Refusal is not null) { return Cause(scratch, verdict, SystemCauses.SchemaNotAdmitted, writer.Refusal); }
            if (writer.Indexes is { } indexes && !binding.Unframed)
            {
                outcome = ReadIndexes(binding, indexes, input, ref frame, out bool other);
                if (outcome != DecodeOutcome.Decoded) { return Cause(scratch, verdict, SystemCauses.Undecodable, DecodeOutcomes.Code(outcome)); }
                if (other) { return Cause(scratch, verdict, SystemCauses.SchemaNotAdmitted, "record-name"); }
                reading.PayloadStart = frame.PayloadStart;
            }

            outcome = writer.Program!.Walk(input.Value[frame.PayloadStart..], _frame);
            if (outcome != DecodeOutcome.Decoded)
            {
                Cause(scratch, verdict, SystemCauses.Undecodable, DecodeOutcomes.Code(outcome));

                // Which keyword of the schema it was: a pointer into the schema, never anything of the record.
                if (outcome == DecodeOutcome.Invalid && _frame.Refusal is { } refusal) { verdict.Errors.Add(new DecisionError(SystemCauses.Undecodable, refusal)); }
                return Stage.Decided;
            }
        }

        if (binding.Key.Writers is not null && input.HasKey && ReadKey(binding, scratch, input, verdict, ref reading) is { } stage) { return stage; }
        if (reading.Writer is { Mismatches.Count: > 0 } || reading.KeyWriter is { Mismatches.Count: > 0 })
        {
            verdict.Fired = scratch.Cause(SystemCauses.SchemaMismatch, binding.PolicyDocument.OnSchemaMismatch);
            foreach (SchemaMismatch mismatch in reading.Writer?.Mismatches ?? []) { verdict.Errors.Add(new DecisionError(SystemCauses.SchemaMismatch, mismatch.Path)); }
            foreach (SchemaMismatch mismatch in reading.KeyWriter?.Mismatches ?? []) { verdict.Errors.Add(new DecisionError(SystemCauses.SchemaMismatch, mismatch.Path)); }
            return Stage.Decided;
        }

        return Rules(binding, scratch, input, reading, verdict);
    }

    /// <summary>The key by its schema: frame, writer, walk. Null where it can be judged. Codes are those of values, with <c>key-</c> in front.</summary>
    private Stage? ReadKey(CompiledBinding binding, BindingScratch scratch, in RecordInput input, Verdict verdict, ref Reading reading)
    {
        KeyCodec keys = binding.Key;
        DecodeOutcome outcome = ReadKeyFrame(keys, input.Headers, input.Key, out SchemaFrame frame);
        if (outcome != DecodeOutcome.Decoded) { return Cause(scratch, verdict, SystemCauses.Undecodable, DecodeOutcomes.KeyCode(outcome)); }
        reading.KeyStart = frame.PayloadStart;
        Writer? writer = reading.KeyWriter = frame.Unsettled ? null : keys.Writers!.Find(frame.Schema);
        if (writer is null)
        {
            reading.AtKey = true;
            reading.Schema = frame.Schema;
            return Stage.Unknown;
        }

        if (writer.Refusal is not null) { return Cause(scratch, verdict, SystemCauses.SchemaNotAdmitted, KeyRefusal(writer.Refusal)); }
        outcome = writer.Program!.Walk(input.Key[frame.PayloadStart..], _keyFrame);
        return outcome == DecodeOutcome.Decoded ? null : Cause(scratch, verdict, SystemCauses.Undecodable, DecodeOutcomes.KeyCode(outcome));
    }

    private static string KeyRefusal(string refusal) => refusal switch
    {
        "unknown-schema-id" => "key-unknown-schema-id",
        "not-a-version" => "key-not-a-version",
        "record-name" => "key-record-name",
        "other-format" => "key-other-format",
        _ => "key-unusable-schema",
    };

    private static Writer? Find(CompiledBinding binding, BindingScratch scratch, in SchemaRef schema)
    {
        Writer? writer = binding.Find(schema);

        // An id that was admitted stays so; one that was refused may be admitted later.
        if (writer is { Refusal: null } && schema.Kind == SchemaRefKind.Id) { scratch.LastWriter = writer; }
        return writer;
    }

    private static Stage Cause(BindingScratch scratch, Verdict verdict, string cause, string code)
    {
        verdict.Fired = scratch.Cause(cause, terms: null);
        verdict.Errors.Add(new DecisionError(cause, code));
        return Stage.Decided;
    }

    private static DecodeOutcome ReadFrame(CompiledBinding binding, in RecordInput input, out SchemaFrame frame)
    {
        int headers = SchemaHeader(input.Headers, FrameReader.ValueHeader, out ReadOnlySpan<byte> header);
        Framing framing = binding.Unframed ? Framing.None : binding.Document.Framing;
        return FrameReader.Read(framing, input.Value, header, headers, out frame, binding.Writers, binding.Document.Format == SchemaFormat.Protobuf);
    }

    private static DecodeOutcome ReadKeyFrame(KeyCodec keys, RecordHeaders all, ReadOnlySpan<byte> key, out SchemaFrame frame)
    {
        int headers = SchemaHeader(all, FrameReader.KeyHeader, out ReadOnlySpan<byte> header);
        return FrameReader.Read(keys.Writers!.Unframed ? Framing.None : keys.Framing, key, header, headers, out frame, keys.Writers);
    }

    /// <summary>Goes past the message indexes: behind the prefix, or where a header alone names the schema, in the header.</summary>
    private static DecodeOutcome ReadIndexes(CompiledBinding binding, MessageIndexes indexes, in RecordInput input, ref SchemaFrame frame, out bool other)
    {
        int headers = SchemaHeader(input.Headers, FrameReader.ValueHeader, out ReadOnlySpan<byte> header);
        DecodeOutcome outcome;
        if (frame.PayloadStart == 0)
        {
            ReadOnlySpan<byte> behind = Behind(header);
            outcome = indexes.Read(Framing.Confluent, behind, out int all, out other);
            return outcome == DecodeOutcome.Decoded && all != behind.Length ? DecodeOutcome.MessageIndex : outcome;
        }

        outcome = indexes.Read(binding.Document.Framing, input.Value[frame.PayloadStart..], out int length, out other);
        ReadOnlySpan<byte> own = input.Value.Slice(frame.PayloadStart, length);
        frame = frame with { PayloadStart = frame.PayloadStart + length };

        // A header beside the prefix names the same schema, and the same message of it, or one of the two is read as another.
        return outcome == DecodeOutcome.Decoded && headers > 0 && !Behind(header).SequenceEqual(own) ? DecodeOutcome.FrameConflict : outcome;

        static ReadOnlySpan<byte> Behind(ReadOnlySpan<byte> header) => header[(header[0] == 0 ? FrameReader.IdPrefixLength : FrameReader.GuidPrefixLength)..];
    }

    /// <summary>How many headers have the name, and the last one's value.</summary>
    private static int SchemaHeader(RecordHeaders headers, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        value = default;
        int found = 0;
        for (int i = 0; i < headers.Count; i++)
        {
            if (!headers.Name(i).SequenceEqual(name)) { continue; }
            found++;
            value = headers.Value(i);
        }

        return found;
    }

    private Stage Rules(CompiledBinding binding, BindingScratch scratch, in RecordInput input, in Reading reading, Verdict verdict)
    {
        Writer? writer = reading.Writer;
        var record = new ConditionInput
        {
            Value = input.Value[reading.PayloadStart..],
            Frame = _frame,
            Program = writer?.Program!,
            Key = input.Key[reading.KeyStart..],
            HasKey = input.HasKey,
            KeyReader = reading.KeyWriter?.KeyReader,
            Headers = input.Headers,
            Principal = input.Principal,
            Topic = input.Topic,
            Partition = input.Partition,
            Offset = input.Offset,
            TimestampMs = input.TimestampMs,
            SchemaId = writer?.SchemaId ?? 0,
            Subject = binding.Subject.Subject,
            SchemaVersion = writer?.Version ?? 0,
        };
        if (Coverage is not null || !input.HasValue) { Each(binding, binding.Rules, scratch, ref record, input.HasValue, verdict); }
        else { Parts(binding, scratch, ref record, verdict); }
        FireMasks(binding, scratch, input, reading);
        return Stage.Judged;
    }

    /// <summary>All rules, 64 at a time: by code where it is made, and what that leaves step by step.</summary>
    private void Parts(CompiledBinding binding, BindingScratch scratch, ref ConditionInput record, Verdict verdict)
    {
        BindingConditions conditions = binding.Conditions;
        conditions.Seen();
        BindingConditions.Part[] parts = conditions.Parts;
        for (int i = 0; i < parts.Length; i++)
        {
            BindingConditions.Part part = parts[i];
            if (part.Emitted is not { } emitted)
            {
                Each(binding, binding.Rules.AsSpan(64 * i, Math.Min(64, binding.Rules.Length - (64 * i))), scratch, ref record, hasValue: true, verdict);
                continue;
            }

            emitted(ref record, out ulong holds, out ulong unsure);
            for (; unsure != 0; unsure &= unsure - 1)
            {
                int bit = BitOperations.TrailingZeroCount(unsure);
                CompiledRule rule = binding.Rules[(64 * i) + bit];
                Truth truth = rule.When!.Evaluate(ref record, out EvalError error);
                if (truth == Truth.True) { holds |= 1UL << bit; }
                else if (truth == Truth.Error) { Failed(scratch, verdict, rule, error); }
            }

            // A mask fires where it finds something to mask, which is seen below.
            scratch.SetWord(i, holds & ~part.Masks);
            for (ulong masks = part.Masks; masks != 0; masks &= masks - 1)
            {
                int bit = BitOperations.TrailingZeroCount(masks);
                scratch.MaskHolds[(64 * i) + bit] = (holds & (1UL << bit)) != 0;
            }
        }
    }

    /// <summary>Rules one by one.</summary>
    private void Each(CompiledBinding binding, ReadOnlySpan<CompiledRule> rules, BindingScratch scratch, ref ConditionInput record, bool hasValue, Verdict verdict)
    {
        foreach (CompiledRule rule in rules)
        {
            bool holds = true;
            if (rule.When is { } when)
            {
                // A null value has no fields: rules that read them do not speak of it, the binding's choice for tombstones does.
                if (!hasValue && rule.ReadsValue) { holds = false; }
                else
                {
                    Truth truth = Coverage?.Of(binding, rule) is { } branches ? when.Evaluate(ref record, branches, out EvalError error) : when.Evaluate(ref record, out error);
                    holds = truth == Truth.True;
                    if (truth == Truth.Error) { Failed(scratch, verdict, rule, error); }
                }
            }

            if (rule.Mask is null) { if (holds) { scratch.Set(rule.Index); } }
            else { scratch.MaskHolds[rule.Index] = holds; }
        }
    }

    private static void Failed(BindingScratch scratch, Verdict verdict, CompiledRule rule, EvalError error)
    {
        verdict.Errors.Add(new DecisionError(rule.Document.Id, EvalErrors.Code(error)));
        if (rule.Document.Shadow) { return; }
        scratch.Set(scratch.ErrorBit);
        if (rule.Mask is not null) { scratch.MaskUnknown = true; }
    }
}
