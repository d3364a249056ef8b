using System.Buffers.Text;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Holds;

/// <summary>
/// An open hold as the state topic keeps it, under key = <see cref="Id"/> in UTF-8; a tombstone ends it. Immutable. Two states are the same where
/// <see cref="Write"/> gives the same bytes (the record's own equality compares lists by reference).
/// </summary>
public sealed record HoldState
{
    /// <summary>Largest state that is read: the masked view of a record of the largest size that a binding may allow, and room for the rest.</summary>
    public const int BytesMax = 64 * 1024 * 1024;

    // The whole is bounded above. A part that a writer may write must never be one that a reader refuses: a task could not be restored from it.
    private const int ListMax = BytesMax;
    private const int TextMax = BytesMax;

    /// <summary>The decision's id: <c>raw.payments-0-42</c>.</summary>
    public required string Id { get; init; }

    public required string Binding { get; init; }

    /// <summary>The policy's name.</summary>
    public required string Policy { get; init; }

    /// <summary>The policy's digest that the hold was decided (or last held again) under, base64url.</summary>
    public required string Digest { get; init; }

    /// <summary>Rules and causes that fired, as the decision names them.</summary>
    public IReadOnlyList<string> Rules { get; init; } = [];

    public IReadOnlyList<string> Reasons { get; init; } = [];

    /// <summary>Every one must be met. Empty only for a record that waits behind another and is held for no reason of its own.</summary>
    public IReadOnlyList<HoldTerms> Terms { get; init; } = [];

    /// <summary>Who produced the record. Groups are always kept here: the tally needs them.</summary>
    public Principal Principal { get; init; } = Principal.None;

    /// <summary>The masked view of the record's key; null for a null key, or one that has no text.</summary>
    public string? Key { get; init; }

    /// <summary>Schema id of the value; null where there is none.</summary>
    public int? Schema { get; init; }

    /// <summary>When the hold was decided, milliseconds since the Unix epoch.</summary>
    public required long DecidedMs { get; init; }

    /// <summary>The earliest expiry of the terms, milliseconds since the Unix epoch; null where there are none.</summary>
    public long? ExpiresMs { get; init; }

    /// <summary>The hold of the same key that this one waits behind; null for none.</summary>
    public string? Behind { get; init; }

    /// <summary>True where later records of the same key wait until this hold has ended (<c>scope: key</c>, or waiting behind such a one).</summary>
    public bool Ordered { get; init; }

    /// <summary>How often it was held again under other terms.</summary>
    public int Reheld { get; init; }

    /// <summary>The masked view: the JSON text as the processor wrote it, byte for byte; <c>null</c> where the record has none.</summary>
    public ReadOnlyMemory<byte> View { get; init; } = NullView;

    /// <summary>HMAC by the hold key over the held record and the terms, base64url; null without a hold key.</summary>
    public string? Record { get; init; }

    /// <summary>SHA-256 of <see cref="View"/>, base64url: see <see cref="DigestOf"/>.</summary>
    public required string ViewDigest { get; init; }

    /// <summary>Statements that counted, in order of the approvals topic.</summary>
    public IReadOnlyList<CountedStatement> Statements { get; init; } = [];

    private static ReadOnlyMemory<byte> NullView { get; } = "null"u8.ToArray();

    /// <summary>SHA-256 in base64url without padding: 43 characters.</summary>
    public static string DigestOf(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return Base64Url.EncodeToString(hash);
    }

    /// <summary>Reads a state. Unknown names are ignored, a version above 1 is refused. Never throws.</summary>
    /// <param name="error">What is wrong, without a word of the text; null where the state was read.</param>
    /// <returns>Null where <paramref name="json"/> is not a state.</returns>
    public static HoldState? TryParse(ReadOnlySpan<byte> json, out string? error)
    {
        error = null;
        try
        {
            using JsonDocument document = HoldJson.ParseObject(json, BytesMax);
            return Parse(document.RootElement);
        }
        catch (HoldFormatException malformed)
        {
            error = $"Not a hold's state: {malformed.Message}.";
            return null;
        }
    }

    /// <summary>Appends the state as JSON, fields in a fixed order: the same state is the same bytes.</summary>
    public void Write(ByteBuffer output)
    {
        ArgumentNullException.ThrowIfNull(output);
        Utf8JsonWriter writer = HoldJson.Rent(output);
        writer.WriteStartObject();
        writer.WriteNumber("v", 1);
        writer.WriteString("id", Id);
        writer.WriteString("binding", Binding);
        writer.WriteString("policy", Policy);
        writer.WriteString("digest", Digest);
        HoldJson.WriteStrings(writer, "rules", Rules);
        HoldJson.WriteStrings(writer, "reasons", Reasons);
        writer.WriteStartArray("terms");
        for (int i = 0; i < Terms.Count; i++) { WriteTerms(writer, Terms[i]); }
        writer.WriteEndArray();
        writer.WriteStartObject("principal");
        writer.WriteString("id", Principal.Id);
        HoldJson.WriteStrings(writer, "groups", Principal.Groups);
        writer.WriteString("via", Principal.Via);
        if (Principal.OwnGroups) { writer.WriteBoolean("own_groups", true); }
        writer.WriteEndObject();
        writer.WriteString("key", Key);
        if (Schema is { } schema) { writer.WriteNumber("schema", schema); }
        HoldJson.WriteInstant(writer, "decided", DecidedMs);
        if (ExpiresMs is { } expires) { HoldJson.WriteInstant(writer, "expires", expires); }
        if (Behind is not null) { writer.WriteString("behind", Behind); }
        if (Ordered) { writer.WriteBoolean("ordered", true); }
        writer.WriteNumber("reheld", Reheld);
        writer.WritePropertyName("view");
        writer.WriteRawValue(View.Span, skipInputValidation: true);
        if (Record is not null) { writer.WriteString("record", Record); }
        writer.WriteString("view_digest", ViewDigest);
        writer.WriteStartArray("statements");
        for (int i = 0; i < Statements.Count; i++) { WriteStatement(writer, Statements[i]); }
        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.Flush();
        HoldJson.Return(writer);
    }

    /// <summary>The id alone: view and key are data.</summary>
    public override string ToString() => Id;

    private static void WriteTerms(Utf8JsonWriter writer, HoldTerms terms)
    {
        writer.WriteStartObject();
        writer.WriteString("rule", terms.Rule);
        HoldJson.WriteStrings(writer, "approvers", terms.Approvers);
        writer.WriteNumber("quorum", terms.Quorum);
        writer.WriteNumber("expires", (long)terms.Expires.TotalSeconds);
        writer.WriteString("on_expiry", terms.OnExpiry == OnExpiry.Allow ? "allow" : "deny");
        writer.WriteString("scope", terms.Scope == HoldScope.Key ? "key" : "record");
        writer.WriteBoolean("own_group_may_approve", terms.OwnGroupMayApprove);
        writer.WriteString("reason", terms.Reason);
        writer.WriteEndObject();
    }

    private static void WriteStatement(Utf8JsonWriter writer, CountedStatement statement)
    {
        writer.WriteStartObject();
        writer.WriteNumber("offset", statement.Offset);
        writer.WriteString("verdict", statement.Verdict.Word());
        writer.WriteString("issuer", statement.Issuer);
        writer.WriteString("subject", statement.Subject);
        HoldJson.WriteStrings(writer, "groups", statement.Groups);
        HoldJson.WriteInstant(writer, "time", statement.TimeMs);
        writer.WriteEndObject();
    }

    private static HoldState Parse(JsonElement root)
    {
        // The version comes first: what a later one means by its fields is unknown here.
        long version = HoldJson.Integer(root, "v", 1, int.MaxValue);
        if (version > 1) { throw new HoldFormatException(string.Create(CultureInfo.InvariantCulture, $"its version is {version}, and this program reads version 1: a newer program wrote it")); }
        if (!root.TryGetProperty("view", out JsonElement view)) { throw new HoldFormatException("`view` is missing"); }
        if (!root.TryGetProperty("key", out JsonElement key)) { throw new HoldFormatException("`key` is missing"); }
        var state = new HoldState
        {
            Id = HoldJson.String(root, "id", 300),
            Binding = HoldJson.String(root, "binding", TextMax),
            Policy = HoldJson.String(root, "policy", TextMax),
            Digest = HoldJson.Digest(root, "digest"),
            Rules = HoldJson.Strings(root, "rules", ListMax, TextMax),
            Reasons = HoldJson.Strings(root, "reasons", ListMax, BytesMax),
            Terms = ParseTerms(HoldJson.Required(root, "terms", JsonValueKind.Array)),
            Principal = ParsePrincipal(HoldJson.Required(root, "principal", JsonValueKind.Object)),
            Key = key.ValueKind switch
            {
                JsonValueKind.Null => null,
                JsonValueKind.String => HoldJson.Bounded(key, "key", BytesMax, mayBeEmpty: true),
                _ => throw new HoldFormatException("`key` is neither null nor a string"),
            },
            Schema = HoldJson.Optional(root, "schema", JsonValueKind.Number, out _) ? (int)HoldJson.Integer(root, "schema", 0, int.MaxValue) : null,
            DecidedMs = HoldJson.Instant(root, "decided"),
            ExpiresMs = HoldJson.Optional(root, "expires", JsonValueKind.String, out _) ? HoldJson.Instant(root, "expires") : null,
            Behind = HoldJson.OptionalString(root, "behind", 300),
            Ordered = root.TryGetProperty("ordered", out _) && HoldJson.Boolean(root, "ordered"),
            Reheld = (int)HoldJson.Integer(root, "reheld", 0, int.MaxValue),
            View = JsonMarshal.GetRawUtf8Value(view).ToArray(),
            Record = HoldJson.OptionalDigest(root, "record"),
            ViewDigest = HoldJson.Digest(root, "view_digest"),
            Statements = ParseStatements(HoldJson.Required(root, "statements", JsonValueKind.Array)),
        };
        if (state.Terms.Count > 0 != state.ExpiresMs.HasValue) { throw new HoldFormatException("`expires` goes with `terms`: one is there without the other"); }
        return state.Terms.Count > 0 || state.Behind is not null ? state : throw new HoldFormatException("`terms` is empty, and it waits behind no other hold");
    }

    private static HoldTerms[] ParseTerms(JsonElement array)
    {
        var terms = new HoldTerms[HoldJson.Count(array, "terms", ListMax)];
        int index = 0;
        foreach (JsonElement item in array.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Object) { throw new HoldFormatException("`terms` has an item that is not an object"); }
            HoldJson.RefuseRepeats(item, "an item of `terms`");
            IReadOnlyList<string> approvers = HoldJson.Strings(item, "approvers", ListMax, TextMax);
            terms[index++] = new HoldTerms
            {
                Rule = HoldJson.String(item, "rule", TextMax),
                Approvers = approvers.Count > 0 ? approvers : throw new HoldFormatException("`approvers` is empty"),
                Quorum = (int)HoldJson.Integer(item, "quorum", 1, 16),
                Expires = TimeSpan.FromSeconds(HoldJson.Integer(item, "expires", 1, 90 * 86_400)),
                OnExpiry = HoldJson.String(item, "on_expiry", 5) switch
                {
                    "deny" => OnExpiry.Deny,
                    "allow" => OnExpiry.Allow,
                    _ => throw new HoldFormatException("`on_expiry` is neither deny nor allow"),
                },
                Scope = HoldJson.String(item, "scope", 6) switch
                {
                    "record" => HoldScope.Record,
                    "key" => HoldScope.Key,
                    _ => throw new HoldFormatException("`scope` is neither record nor key"),
                },
                OwnGroupMayApprove = HoldJson.Boolean(item, "own_group_may_approve"),
                Reason = HoldJson.String(item, "reason", BytesMax, mayBeEmpty: true),
            };
        }
        return terms;
    }

    private static Principal ParsePrincipal(JsonElement element)
    {
        HoldJson.RefuseRepeats(element, "`principal`");
        return new Principal(
            HoldJson.String(element, "id", TextMax, mayBeEmpty: true),
            HoldJson.Strings(element, "groups", ListMax, TextMax),
            HoldJson.String(element, "via", 32),
            element.TryGetProperty("own_groups", out _) && HoldJson.Boolean(element, "own_groups"));
    }

    private static CountedStatement[] ParseStatements(JsonElement array)
    {
        var statements = new CountedStatement[HoldJson.Count(array, "statements", ListMax)];
        int index = 0;
        foreach (JsonElement item in array.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Object) { throw new HoldFormatException("`statements` has an item that is not an object"); }
            HoldJson.RefuseRepeats(item, "an item of `statements`");
            statements[index++] = new CountedStatement(
                HoldJson.Integer(item, "offset", 0, long.MaxValue),
                StatementVerdicts.Parse(HoldJson.String(item, "verdict", 7)) ?? throw new HoldFormatException("`verdict` is neither approve nor reject"),
                HoldJson.String(item, "issuer", TextMax),
                HoldJson.String(item, "subject", TextMax),
                HoldJson.Strings(item, "groups", ListMax, TextMax),
                HoldJson.Instant(item, "time"));
        }
        return statements;
    }
}

/// <summary>A statement that counted: what the tally needs of it.</summary>
/// <param name="Offset">Its offset on the approvals topic.</param>
/// <param name="Groups">Groups that the statement names.</param>
/// <param name="TimeMs">When the broker appended it, milliseconds since the Unix epoch.</param>
public sealed record CountedStatement(long Offset, StatementVerdict Verdict, string Issuer, string Subject, IReadOnlyList<string> Groups, long TimeMs);
