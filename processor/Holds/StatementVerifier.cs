using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace PolicyStreams.Processor.Holds;

/// <summary>Checks statements against the public keys of a key file. Thread-safe.</summary>
public sealed class StatementVerifier : IDisposable
{
    /// <summary>Largest signed statement that is looked at.</summary>
    public const int BytesMax = 65_536;

    private const int KeyFileBytesMax = 1024 * 1024;
    private static readonly SearchValues<byte> Alphabet = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"u8);
    private readonly Dictionary<string, ECDsa> _keys;
    private readonly Lock _lock = new();

    private StatementVerifier(Dictionary<string, ECDsa> keys) => _keys = keys;

    /// <summary>Ids of the keys that are trusted.</summary>
    public IReadOnlyCollection<string> KeyIds => _keys.Keys;

    /// <summary>Reads a JWK Set of public keys. Keys of other kinds are passed over; a private key, a broken one, or a repeated id refuses the whole set.</summary>
    /// <param name="error">What is wrong, without a key's numbers; null where it was read.</param>
    public static StatementVerifier? TryParse(string jwks, out string? error)
    {
        ArgumentNullException.ThrowIfNull(jwks);
        var keys = new Dictionary<string, ECDsa>(StringComparer.Ordinal);
        try
        {
            using JsonDocument document = HoldJson.ParseObject(Encoding.UTF8.GetBytes(jwks), KeyFileBytesMax);
            int index = 0;
            foreach (JsonElement jwk in HoldJson.Required(document.RootElement, "keys", JsonValueKind.Array).EnumerateArray()) { Add(keys, jwk, index++); }
            if (keys.Count == 0) { throw new HoldFormatException("it has no EC public key on P-256 for ES256 signatures"); }
            error = null;
            return new StatementVerifier(keys);
        }
        catch (HoldFormatException malformed)
        {
            foreach (ECDsa key in keys.Values) { key.Dispose(); }
            error = $"Not a set of approval keys: {malformed.Message}. A JWK Set of public keys is expected; `policystreams approvals keygen` writes one.";
            return null;
        }
    }

    /// <summary>Checks form, key, and signature, then reads what was signed. Never throws on bytes.</summary>
    /// <param name="statement">Null unless valid.</param>
    public StatementOutcome Verify(ReadOnlySpan<byte> jws, out Statement? statement)
    {
        statement = null;
        if (jws.Length > BytesMax) { return StatementOutcome.TooLarge; }
        int first = jws.IndexOf((byte)'.');
        int last = jws.LastIndexOf((byte)'.');
        if (first <= 0 || first == last || !Decode(jws[..first], out byte[] header) || !Decode(jws[(first + 1)..last], out byte[] payload) || !Decode(jws[(last + 1)..], out byte[] signature))
        {
            return StatementOutcome.Malformed;
        }
        try
        {
            StatementOutcome outcome = CheckHeader(header, out string keyId);
            if (outcome != StatementOutcome.Valid) { return outcome; }
            if (!_keys.TryGetValue(keyId, out ECDsa? key)) { return StatementOutcome.UnknownKey; }
            if (!IsSigned(key, jws[..last], signature)) { return StatementOutcome.BadSignature; }

            // Nothing of the payload is looked at before its signature holds.
            statement = StatementJws.Read(payload);
            return statement is null ? StatementOutcome.WrongType : StatementOutcome.Valid;
        }
        catch (HoldFormatException)
        {
            return StatementOutcome.Malformed;
        }
    }

    public void Dispose()
    {
        foreach (ECDsa key in _keys.Values) { key.Dispose(); }
    }

    private static void Add(Dictionary<string, ECDsa> keys, JsonElement jwk, int index)
    {
        string which = string.Create(CultureInfo.InvariantCulture, $"key {index + 1} of `keys`");
        if (jwk.ValueKind != JsonValueKind.Object) { throw new HoldFormatException($"{which} is not an object"); }
        HoldJson.RefuseRepeats(jwk, which);
        if (jwk.TryGetProperty("d", out _) || jwk.TryGetProperty("k", out _)) { throw new HoldFormatException($"{which} is a secret; this file is for public keys"); }
        if (!StatementKeys.IsForStatements(jwk)) { return; }
        ECParameters parameters = StatementKeys.Parameters(jwk, secret: false);
        string keyId = HoldJson.OptionalString(jwk, "kid", 200) ?? StatementKeys.Thumbprint(parameters);
        if (keys.ContainsKey(keyId)) { throw new HoldFormatException($"{which} has the `kid` of another"); }
        try
        {
            keys.Add(keyId, ECDsa.Create(parameters));
        }
        catch (CryptographicException)
        {
            throw new HoldFormatException($"{which} is not a point on P-256");
        }
    }

    private static StatementOutcome CheckHeader(byte[] header, out string keyId)
    {
        keyId = "";
        using JsonDocument document = HoldJson.ParseObject(header, BytesMax);
        JsonElement root = document.RootElement;

        // RFC 7515 section 4.1.11: what a header calls critical must be understood, and nothing of the kind is.
        if (root.TryGetProperty("crit", out _)) { return StatementOutcome.Malformed; }
        if (HoldJson.String(root, "alg", 100) != StatementJws.Algorithm || HoldJson.OptionalString(root, "typ", 100) != StatementJws.Type) { return StatementOutcome.WrongType; }
        keyId = HoldJson.String(root, "kid", 200);
        return StatementOutcome.Valid;
    }

    private bool IsSigned(ECDsa key, ReadOnlySpan<byte> signed, byte[] signature)
    {
        if (signature.Length != StatementJws.SignatureBytes) { return false; }
        lock (_lock)
        {
            try
            {
                return key.VerifyData(signed, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
            }
            catch (CryptographicException)
            {
                return false;
            }
        }
    }

    private static bool Decode(ReadOnlySpan<byte> text, out byte[] bytes)
    {
        bytes = [];

        // The library passes over white space and padding; RFC 7515 has neither.
        if (text.IsEmpty || text.ContainsAnyExcept(Alphabet) || !Base64Url.IsValid(text)) { return false; }
        bytes = new byte[Base64Url.GetMaxDecodedLength(text.Length)];
        if (!Base64Url.TryDecodeFromUtf8(text, bytes, out int written)) { return false; }
        bytes = bytes[..written];
        return true;
    }
}
