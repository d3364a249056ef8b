using System.Collections.Concurrent;
using System.Text;
using PolicyStreams.Rules.Decisions;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

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
}

/// <summary>A binding of a compiled policy: the rules that apply to it, its capture plan, and its programs by writer schema. Thread-safe.</summary>
public sealed class CompiledBinding : IFrameRivals
{
    /// <summary>Refused ids that are remembered: records name ids freely, memory is not theirs to fill.</summary>
    private const int RefusalsMax = 10_000;

    private readonly ConcurrentDictionary<int, Writer> _writers = new();
    private readonly ConcurrentDictionary<Guid, Writer> _guids = new();
    private readonly ConcurrentDictionary<int, Guid> _guidOfId = new();
    private byte[][] _headerNames = [];
    private int _refusals;

    internal CompiledBinding()
    {
    }

    public required BindingDocument Document { get; init; }

    public CompiledPolicy Policy { get; internal set; } = null!;

    internal PolicyDocument PolicyDocument { get; init; } = null!;

    internal SubjectSchemas Subject { get; init; } = null!;

    internal CompiledRule[] Rules { get; init; } = null!;

    internal CapturePlan Plan { get; init; } = null!;

    /// <summary>The rules' conditions as code.</summary>
    internal BindingConditions Conditions { get; private set; } = null!;

    /// <summary>Masks of values by selector: those that come first win.</summary>
    internal CompiledMask[] Masks { get; init; } = null!;

    /// <summary>Masks of headers and of the whole key, in document order.</summary>
    internal CompiledMask[] HeaderMasks { get; init; } = null!;

    internal CompiledMask[] WholeKeyMasks { get; init; } = null!;

    internal KeyCodec Key { get; init; } = null!;

    /// <summary>The parts of decisions that do not change from record to record.</summary>
    internal DecisionParts Parts { get; private set; } = null!;

    /// <summary>True where values carry no frame: the one schema there is has no id.</summary>
    internal bool Unframed { get; private set; }

    /// <summary>The writer of unframed values.</summary>
    internal Writer? OnlyWriter { get; private set; }

    /// <summary>The checked schema: the latest version at load.</summary>
    public RecordSchema CheckedSchema => Subject.Checked;

    /// <summary>Tells the binding of a schema id met at run time. Idempotent; thread-safe. Versions known at compile time are there already.</summary>
    /// <param name="version">Needed where the id is admitted; its schema is compiled here.</param>
    public void AddWriter(int schemaId, WriterAdmission admission, SchemaVersion? version)
    {
        if (admission == WriterAdmission.Admitted && version is not null)
        {
            if (!_writers.TryGetValue(schemaId, out Writer? known) || known.Refusal is not null) { Admit(version with { Id = schemaId }); }
            return;
        }

        Refuse(schemaId, admission);
    }

    /// <summary>The same for a schema that records name by GUID.</summary>
    public void AddWriter(Guid guid, int schemaId, WriterAdmission admission, SchemaVersion? version)
    {
        AddWriter(schemaId, admission, version);
        if (schemaId > 0) { _guidOfId[schemaId] = guid; }
        if (_writers.TryGetValue(schemaId, out Writer? writer)) { _guids[guid] = writer; }
        else if (Room()) { _guids[guid] = Refused(schemaId, admission); }
    }

    /// <summary>
    /// Forgets the ids that were refused, so that they are asked for again: a schema may be registered after the first record that names it. Call it now and then (once a minute).
    /// </summary>
    public void ForgetRefusals()
    {
        foreach (KeyValuePair<int, Writer> entry in _writers)
        {
            if (entry.Value.Refusal is not null) { _writers.TryRemove(entry); }
        }

        foreach (KeyValuePair<Guid, Writer> entry in _guids)
        {
            if (entry.Value.Refusal is not null) { _guids.TryRemove(entry); }
        }

        Volatile.Write(ref _refusals, 0);
    }

    bool IFrameRivals.TryGetGuid(int id, out Guid guid) => _guidOfId.TryGetValue(id, out guid);

    /// <summary>True where <c>headers: [names]</c> lists the name.</summary>
    internal bool KeepsHeader(ReadOnlySpan<byte> name)
    {
        foreach (byte[] kept in _headerNames)
        {
            if (name.SequenceEqual(kept)) { return true; }
        }

        return false;
    }

    /// <summary>Appends the frame of the checked schema, for records that are made offline.</summary>
    internal void AppendFrame(ByteBuffer output)
    {
        int id = Subject.Versions[^1].Id;
        output.Append(0);
        if (Document.Framing == Framing.Apicurio8) { output.Append([0, 0, 0, 0]); }
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(output.GetSpan(4), id);
        output.Advance(4);
    }

    internal Writer? Find(in SchemaRef schema) => schema.Kind switch
    {
        SchemaRefKind.Guid => _guids.GetValueOrDefault(schema.Guid),
        SchemaRefKind.Id when schema.Id > int.MaxValue => Refused(0, WriterAdmission.UnknownId),
        SchemaRefKind.Id => _writers.GetValueOrDefault((int)schema.Id),
        _ => OnlyWriter,
    };

    internal void Attach(CompiledPolicy policy)
    {
        Policy = policy;
        _headerNames = [.. Document.HeaderNames.Select(Encoding.UTF8.GetBytes)];
        Parts = new DecisionParts(this);
        Conditions = new BindingConditions(Rules, Plan.Root.SlotCount);
    }

    /// <summary>Compiles a version of the subject; a schema that cannot be compiled is refused.</summary>
    internal Writer? Admit(SchemaVersion version)
    {
        Writer writer;
        try
        {
            var mismatches = new List<SchemaMismatch>();
            RecordProgram program = version.Schema.Compile(Plan, WalkLimits.Default, mismatches);

            // What an older version lacks was not there yet; what a later one lacks was taken away.
            bool older = version.Version < Subject.Versions[^1].Version;
            writer = new Writer
            {
                SchemaId = version.Id,
                Version = version.Version,
                Schema = version.Schema,
                Program = program,
                Mismatches = [.. mismatches.Where(mismatch => !(older && mismatch.OlderIsFine))],
            };
        }
        catch (SchemaException)
        {
            writer = Refused(version.Id, WriterAdmission.Unusable);
        }

        _writers[version.Id] = writer;

        // Without ids there are no frames; and a binding that is not framed at all takes every value for its latest schema's.
        if (version.Id == 0 || Document.Framing == Framing.None)
        {
            Unframed = true;
            OnlyWriter = writer;
        }

        return writer;
    }

    private void Refuse(int schemaId, WriterAdmission admission)
    {
        if (_writers.TryGetValue(schemaId, out Writer? known) && known.Refusal is null) { return; }
        if (Room()) { _writers[schemaId] = Refused(schemaId, admission); }
    }

    private bool Room()
    {
        if (Interlocked.Increment(ref _refusals) > RefusalsMax) { ForgetRefusals(); }
        return true;
    }

    private static Writer Refused(int schemaId, WriterAdmission admission) => new()
    {
        SchemaId = schemaId,
        Refusal = admission switch { WriterAdmission.NotAdmitted => "not-a-version", WriterAdmission.UnknownId => "unknown-schema-id", _ => "unusable-schema" },
    };
}
