using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using PolicyStreams.Rules.Cel;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>
/// The canonical form of a policy: JSON with every default filled in and members in a fixed order, conditions spelled by the printer. Comments, order of keys, quotes, and
/// formatting are not in it; everything that a decision depends on is.
/// </summary>
internal static class CanonicalForm
{
    public static byte[] Write(PolicyDocument policy)
    {
        var buffer = new ByteBuffer(4096);
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true }))
        {
            json.WriteStartObject();
            json.WriteString("apiVersion", DocumentReader.ApiVersion);
            json.WriteString("name", policy.Name);
            json.WriteBoolean("shadow", policy.Shadow);
            json.WriteNumber("record_bytes", policy.RecordBytesMax);
            json.WriteNumber("headers", policy.HeadersMax);
            Terms(json, "on_error", policy.OnError);
            Terms(json, "on_schema_mismatch", policy.OnSchemaMismatch);
            json.WriteStartArray("bindings");
            foreach (BindingDocument binding in policy.Bindings) { Binding(json, binding); }
            json.WriteEndArray();
            json.WriteStartArray("rules");
            foreach (RuleDocument rule in policy.Rules) { Rule(json, rule); }
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return buffer.Written.ToArray();
    }

    /// <summary>Which ids the policy says that frames have, for values, keys, or both; null where it says nothing of them.</summary>
    private static SchemaIds? SaidIds(BindingDocument binding)
    {
        SchemaIds ids = binding.SchemaIds != SchemaIds.Registry ? binding.SchemaIds : binding.KeySchemaIds;
        return ids is SchemaIds.Global or SchemaIds.Content ? ids : null;
    }

    private static void Binding(Utf8JsonWriter json, BindingDocument binding)
    {
        json.WriteStartObject();
        json.WriteString("name", binding.Name);
        json.WriteNumber("format", (int)binding.Format);
        json.WriteNumber("framing", (int)binding.Framing);
        if (SaidIds(binding) is { } ids) { json.WriteNumber("schema_ids", (int)ids); }
        json.WriteString("subject", binding.Subject);
        json.WriteString("schema", binding.SchemaFile);
        json.WriteNumber("key_format", (int)binding.KeyFormat);
        if (binding.AssertFormats) { json.WriteBoolean("assert_formats", true); }
        if (binding.RecordName is not null) { json.WriteString("record", binding.RecordName); }
        if (binding.Format == PolicyStreams.Schemas.SchemaFormat.Protobuf)
        {
            json.WriteString("message", binding.Message);
            json.WriteNumber("unknown_fields", (int)binding.UnknownFields);
        }

        if (binding.KeyFormat == KeyFormat.Avro)
        {
            json.WriteString("key_subject", binding.KeySubject);
            json.WriteString("key_schema", binding.KeySchemaFile);
            json.WriteString("key_record", binding.KeyRecord);
            json.WriteNumber("key_framing", (int)binding.KeyFraming);
        }

        json.WriteNumber("identity", (int)binding.Identity);
        json.WriteString("identity_id", binding.TopicPrincipal.Id);
        Texts(json, "identity_groups", binding.TopicPrincipal.Groups);
        json.WriteString("identity_settings", binding.IdentityJson);
        json.WriteNumber("headers", (int)binding.Headers);
        Texts(json, "header_names", [.. binding.HeaderNames.Order(StringComparer.Ordinal)]);
        json.WriteBoolean("stamp", binding.Stamp);
        json.WriteNumber("tombstones", (int)binding.Tombstones);
        Terms(json, "tombstone_terms", binding.TombstoneTerms);
        json.WriteStartArray("topics");
        BindingTopics topics = binding.Topics;
        foreach (string topic in (string[])[topics.Ingress, topics.Governed, topics.Rejected, topics.Held, topics.State, topics.Approvals, topics.Decisions]) { json.WriteStringValue(topic); }
        json.WriteEndArray();
        Texts(json, "routes", [.. topics.Routes.Order(StringComparer.Ordinal)]);
        json.WriteString("seal", binding.Seal);
        json.WriteEndObject();
    }

    private static void Rule(Utf8JsonWriter json, RuleDocument rule)
    {
        json.WriteStartObject();
        json.WriteString("id", rule.Id);
        json.WriteString("when", rule.When is null ? null : Condition(rule.When));
        json.WriteNumber("effect", (int)rule.Effect);
        json.WriteBoolean("shadow", rule.Shadow);
        if (rule.Bindings is null) { json.WriteNull("bindings"); }
        else { Texts(json, "bindings", [.. rule.Bindings.Order(StringComparer.Ordinal)]); }
        json.WriteString("reason", rule.Reason);
        Terms(json, "hold", rule.Hold);
        json.WriteString("route", rule.RouteTo);
        json.WriteStartArray("tags");
        foreach (KeyValuePair<string, string> tag in rule.Tags.OrderBy(tag => tag.Key, StringComparer.Ordinal))
        {
            json.WriteStringValue(tag.Key);
            json.WriteStringValue(tag.Value);
        }

        json.WriteEndArray();
        if (rule.Mask is { } mask)
        {
            json.WriteStartObject("mask");
            json.WriteString("field", mask.Path?.ToString());
            json.WriteNumber("root", (int)(mask.Path?.Root ?? 0));
            json.WriteString("tag", mask.Tag);
            json.WriteString("method", mask.MethodName);
            json.WriteString("constant", mask.Constant);
            json.WriteNumber("keep", mask.Keep);
            json.WriteBoolean("keep_domain", mask.KeepDomain);
            json.WriteString("key", mask.KeyName);
            json.WriteString("match", mask.Match);
            json.WriteString("replace", mask.Replace);
            json.WriteString("bucket", mask.Bucket.ToString("R", CultureInfo.InvariantCulture));
            json.WriteNumber("date", (int)mask.Date);
            if (mask.Method == MaskMethod.Token || mask.HitMethod == MaskMethod.Token) { json.WriteString("tweak", mask.Tweak); }
            if (mask.Method == MaskMethod.Detect)
            {
                Texts(json, "detect", mask.Detect);
                json.WriteString("hit", mask.HitMethod is { } hit ? MaskDocument.NameOf(hit) : null);
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void Terms(Utf8JsonWriter json, string name, HoldTerms? terms)
    {
        if (terms is null) { json.WriteNull(name); return; }
        json.WriteStartObject(name);
        Texts(json, "approvers", terms.Approvers);
        json.WriteNumber("quorum", terms.Quorum);
        json.WriteNumber("expires_s", (long)terms.Expires.TotalSeconds);
        json.WriteNumber("on_expiry", (int)terms.OnExpiry);
        json.WriteNumber("scope", (int)terms.Scope);
        json.WriteBoolean("own_group_may_approve", terms.OwnGroupMayApprove);
        json.WriteString("reason", terms.Reason);
        json.WriteEndObject();
    }

    private static void Texts(Utf8JsonWriter json, string name, IReadOnlyList<string> texts)
    {
        json.WriteStartArray(name);
        foreach (string text in texts) { json.WriteStringValue(text); }
        json.WriteEndArray();
    }

    /// <summary>A condition that does not parse has no canonical spelling; its policy does not compile, but its digest must still be told from others.</summary>
    private static string Condition(string when) => CelPrinter.Canonical(when, []) ?? when;
}
