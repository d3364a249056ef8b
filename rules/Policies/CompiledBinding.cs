using System.Text;
using PolicyStreams.Rules.Decisions;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Protobuf;

namespace PolicyStreams.Rules;

/// <summary>What the registry says of a schema id, once it is known.</summary>
public enum WriterAdmission : byte
{
    /// <summary>A version of the binding's subject.</summary>
    Admitted,
    /// <summary>The registry has it, under other subjects only.</summary>
    NotAdmitted,
    /// <summary>The registry does not know the id.</summary>
    UnknownId,
    /// <summary>The registry's schema for the id cannot be parsed.</summary>
    Unusable,
    /// <summary>A version of the binding's subject, of another format than the binding's.</summary>
    OtherFormat,
}

/// <summary>A binding of a compiled policy: the rules that apply to it, its capture plan, and its programs by writer schema. Thread-safe.</summary>
public sealed class CompiledBinding
{
    private byte[][] _headerNames = [];

    internal CompiledBinding()
    {
    }

    public required BindingDocument Document { get; init; }

    public CompiledPolicy Policy { get; internal set; } = null!;

    internal PolicyDocument PolicyDocument { get; init; } = null!;

    internal SubjectSchemas Subject { get; init; } = null!;

    internal CompiledRule[] Rules { get; init; } = null!;

    internal CapturePlan Plan { get; init; } = null!;

    /// <summary>Full name of the record that every writer has to be; null where any will do.</summary>
    internal string? RecordName => Subject.RecordOf(Document.Message ?? Document.RecordName) ?? Document.RecordName;

    /// <summary>The rules' conditions as code.</summary>
    internal BindingConditions Conditions { get; private set; } = null!;

    /// <summary>Masks of values by selector: those that come first win.</summary>
    internal CompiledMask[] Masks { get; init; } = null!;

    /// <summary>Masks of headers and of the whole key, in document order.</summary>
    internal CompiledMask[] HeaderMasks { get; init; } = null!;

    internal CompiledMask[] WholeKeyMasks { get; init; } = null!;

    internal KeyCodec Key { get; init; } = null!;

    /// <summary>Writer schemas of values.</summary>
    internal WriterTable Writers { get; private set; } = null!;

    /// <summary>What versions of the values' subject took away of what is masked.</summary>
    internal MaskedLosses Losses { get; private set; } = null!;

    /// <summary>The parts of decisions that do not change from record to record.</summary>
    internal DecisionParts Parts { get; private set; } = null!;

    /// <summary>True where values carry no frame: the one schema there is has no id.</summary>
    internal bool Unframed => Writers.Unframed;

    /// <summary>The checked schema: the latest version at load.</summary>
    public RecordSchema CheckedSchema => Subject.Checked;

    /// <summary>Tells the binding of a value's schema id met at run time. Idempotent; thread-safe. Versions known at compile time are there already.</summary>
    /// <param name="version">Needed where the id is admitted; its schema is compiled here.</param>
    /// <remarks>
    /// Tags that the version brings to paths of other versions take effect when the policy is compiled anew with it (<see cref="CompiledPolicy.Resolved"/>): that is the way for a host
    /// that has a registry.
    /// </remarks>
    public void AddWriter(int schemaId, WriterAdmission admission, SchemaVersion? version) => Writers.Add(schemaId, admission, version);

    /// <summary>The same for a schema that records name by GUID.</summary>
    public void AddWriter(Guid guid, int schemaId, WriterAdmission admission, SchemaVersion? version) => Writers.Add(guid, schemaId, admission, version);

    /// <summary>Answers what the judge asked: see <see cref="JudgeResult.NeededSchemaId"/>. Idempotent; thread-safe.</summary>
    /// <param name="schemaId">The schema's id; 0 where it was asked for by GUID and has none here.</param>
    /// <param name="version">Needed where the schema is admitted; it is compiled here.</param>
    public void Answer(in JudgeResult needed, int schemaId, WriterAdmission admission, SchemaVersion? version)
    {
        WriterTable table = needed.OfKey ? Key.Writers! : Writers;
        if (needed.NeededSchemaGuid is { } guid) { table.Add(guid, schemaId, admission, version); }
        else { table.Add(schemaId, admission, version); }
    }

    /// <summary>Answers that there is no such schema: where nobody can be asked.</summary>
    public void AnswerUnknown(in JudgeResult needed) => Answer(needed, needed.NeededSchemaId, WriterAdmission.UnknownId, null);

    /// <summary>
    /// Forgets the ids that were refused, so that they are asked for again: a schema may be registered after the first record that names it. Call it now and then (once a minute).
    /// </summary>
    public void ForgetRefusals()
    {
        Writers.ForgetRefusals();
        Key.Writers?.ForgetRefusals();
    }

    /// <summary>True where <c>headers: [names]</c> lists the name.</summary>
    internal bool KeepsHeader(ReadOnlySpan<byte> name)
    {
        foreach (byte[] kept in _headerNames)
        {
            if (name.SequenceEqual(kept)) { return true; }
        }

        return false;
    }

    /// <summary>Appends the frame of a version, for records that are made offline.</summary>
    /// <param name="version">Null for the checked one.</param>
    /// <exception cref="SchemaException">The binding's message cannot be named in a frame.</exception>
    internal void AppendFrame(ByteBuffer output, SchemaVersion? version = null)
    {
        version ??= Subject.CheckedVersion;
        KeyCodec.AppendFrame(output, Document.Framing, version.Id);
        if (version.Schema is ProtobufSchema protobuf) { protobuf.Indexes.Append(Document.Framing, output); }
    }

    internal Writer? Find(in SchemaRef schema) => Writers.Find(schema);

    /// <summary>Makes the table of writers; versions are admitted to it next.</summary>
    internal void Open()
    {
        Losses = new MaskedLosses(Subject, Plan, RecordName);
        Writers = new WriterTable(Compile, pinned: Document.Framing == Framing.None, Subject.CheckedVersion.Version);
    }

    internal void Attach(CompiledPolicy policy)
    {
        Policy = policy;
        _headerNames = [.. Document.HeaderNames.Select(Encoding.UTF8.GetBytes)];
        Parts = new DecisionParts(this);
        Conditions = new BindingConditions(Rules, Plan.Root.SlotCount);
    }

    /// <summary>Takes over what the binding that this one replaces has learned of GUIDs.</summary>
    internal void Succeed(CompiledBinding before)
    {
        Writers.TakeGuids(before.Writers);
        if (Key.Writers is { } keys && before.Key.Writers is { } known) { keys.TakeGuids(known); }
    }

    private Writer Compile(SchemaVersion version)
    {
        version = version with { Schema = version.Schema.ForRecord(RecordName) };
        if (version.Refusal(RecordName) is { } refusal) { return refusal; }
        var mismatches = new List<SchemaMismatch>();
        if (version.Schema.Format != Document.Format) { throw new SchemaException($"The schema's format is {version.Schema.Format}."); }
        if (Document.AssertFormats) { version = version with { Schema = version.Schema.AssertingFormats() }; }
        RecordProgram program = version.Schema.Compile(Plan, WalkLimits.Default, mismatches);

        // What an older version lacks was not there yet, unless one before it had it; what a later one lacks was taken away.
        bool older = version.Version < Subject.CheckedVersion.Version;
        MaskedPaths.Check(Plan, Subject.Checked.Type, version.Schema.Type, mismatches);
        return new Writer
        {
            SchemaId = version.Id,
            Version = version.Version,
            Schema = version.Schema,
            Program = program,
            Indexes = (version.Schema as ProtobufSchema)?.Indexes,
            Mismatches = Losses.AddTo(mismatches.Where(mismatch => !(older && mismatch.OlderIsFine)), version.Version),
        };
    }
}
