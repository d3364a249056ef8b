using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Holds;

/// <summary>The payload of a statement, and the parts of the JWS around it.</summary>
internal static class StatementJws
{
    internal const string Type = "policystreams-statement+jwt";
    internal const string Algorithm = "ES256";
    internal const int SignatureBytes = 64;
    private const int TextMax = 4096;

    internal static byte[] Header(string keyId)
    {
        var output = new ByteBuffer(128);
        Utf8JsonWriter writer = HoldJson.Rent(output);
        writer.WriteStartObject();
        writer.WriteString("alg", Algorithm);
        writer.WriteString("kid", keyId);
        writer.WriteString("typ", Type);
        writer.WriteEndObject();
        writer.Flush();
        HoldJson.Return(writer);
        return Encoding.ASCII.GetBytes(Base64Url.EncodeToString(output.Written));
    }

    internal static void Write(Statement statement, ByteBuffer output)
    {
        Utf8JsonWriter writer = HoldJson.Rent(output);
        writer.WriteStartObject();
        writer.WriteNumber("v", 1);
        writer.WriteString("hold", statement.Hold);
        writer.WriteString("verdict", statement.Verdict.Word());
        writer.WriteString("iss", statement.Issuer);
        writer.WriteString("sub", statement.Subject);
        HoldJson.WriteStrings(writer, "groups", statement.Groups);
        writer.WriteString("reason", statement.Reason);
        if (statement.Record is not null) { writer.WriteString("record", statement.Record); }
        writer.WriteString("policy", statement.Policy);
        writer.WriteString("view", statement.View);
        writer.WriteNumber("iat", statement.IssuedAt);
        writer.WriteString("jti", statement.Id);
        writer.WriteEndObject();
        writer.Flush();
        HoldJson.Return(writer);
    }

    /// <exception cref="HoldFormatException">Not a statement.</exception>
    /// <returns>Null for a version above 1.</returns>
    internal static Statement? Read(ReadOnlySpan<byte> payload)
    {
        using JsonDocument document = HoldJson.ParseObject(payload, StatementVerifier.BytesMax);
        JsonElement root = document.RootElement;
        if (HoldJson.Integer(root, "v", 1, int.MaxValue) > 1) { return null; }
        return new Statement
        {
            Hold = HoldJson.String(root, "hold", 300),
            Verdict = StatementVerdicts.Parse(HoldJson.String(root, "verdict", 7)) ?? throw new HoldFormatException("`verdict` is neither approve nor reject"),
            Issuer = HoldJson.String(root, "iss", TextMax),
            Subject = HoldJson.String(root, "sub", TextMax),
            Groups = HoldJson.Strings(root, "groups", Statement.GroupsMax, TextMax),
            Reason = HoldJson.String(root, "reason", Statement.ReasonCharactersMax),
            Record = HoldJson.OptionalDigest(root, "record"),
            Policy = HoldJson.Digest(root, "policy"),
            View = HoldJson.Digest(root, "view"),
            IssuedAt = HoldJson.Integer(root, "iat", 0, long.MaxValue),
            Id = HoldJson.String(root, "jti", 100),
        };
    }
}
