using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Holds;

/// <summary>Signs statements with the approval service's own key (ECDSA on P-256). Thread-safe. Never printed: <see cref="ToString"/> gives the key id.</summary>
public sealed class StatementSigner : IDisposable
{
    private const string P256 = "1.2.840.10045.3.1.7";
    private const int KeyFileBytesMax = 65_536;
    private readonly ECDsa _key;
    private readonly byte[] _header;
    private readonly Lock _lock = new();

    private StatementSigner(ECDsa key, string? keyId)
    {
        _key = key;
        KeyId = keyId ?? StatementKeys.Thumbprint(key.ExportParameters(includePrivateParameters: false));
        _header = StatementJws.Header(KeyId);
    }

    /// <summary>The JWK's <c>kid</c>, else the key's thumbprint (RFC 7638).</summary>
    public string KeyId { get; }

    /// <summary>A new key.</summary>
    public static StatementSigner Generate() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256), null);

    /// <summary>Reads a private key: PEM (PKCS#8 or SEC 1, not encrypted) or a JWK.</summary>
    /// <param name="error">What is wrong and what is expected, without the key; null where it was read.</param>
    public static StatementSigner? TryParse(string text, out string? error)
    {
        ArgumentNullException.ThrowIfNull(text);
        try
        {
            error = null;
            return text.AsSpan().TrimStart().StartsWith("{", StringComparison.Ordinal) ? FromJwk(text) : FromPem(text);
        }
        catch (HoldFormatException malformed)
        {
            error = $"Not a signing key: {malformed.Message}. An EC P-256 private key in PEM or as a JWK is expected; `policystreams approvals keygen` makes one.";
            return null;
        }
    }

    /// <summary>The statement as a compact JWS, in ASCII: the value of a record on the approvals topic.</summary>
    /// <exception cref="ArgumentException">A part is longer than a verifier would take.</exception>
    public byte[] Sign(Statement statement)
    {
        ArgumentNullException.ThrowIfNull(statement);
        var payload = new ByteBuffer(1024);
        StatementJws.Write(statement, payload);
        int payloadLength = Base64Url.GetEncodedLength(payload.Length);
        int signedLength = _header.Length + 1 + payloadLength;
        byte[] jws = new byte[signedLength + 1 + Base64Url.GetEncodedLength(StatementJws.SignatureBytes)];
        if (jws.Length > StatementVerifier.BytesMax) { throw new ArgumentException($"The signed statement would pass {StatementVerifier.BytesMax} bytes.", nameof(statement)); }
        _header.CopyTo(jws, 0);
        jws[_header.Length] = (byte)'.';
        Base64Url.EncodeToUtf8(payload.Written, jws.AsSpan(_header.Length + 1), out _, out _);
        Span<byte> signature = stackalloc byte[StatementJws.SignatureBytes];

        // One key handle must not be used by two threads at once: the class does not promise it.
        lock (_lock) { _key.SignData(jws.AsSpan(0, signedLength), signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation); }
        jws[signedLength] = (byte)'.';
        Base64Url.EncodeToUtf8(signature, jws.AsSpan(signedLength + 1), out _, out _);
        return jws;
    }

    /// <summary>The public key as a JWK Set: what <c>--approval-keys</c> reads. Holds no secret.</summary>
    public string PublicJwks()
    {
        lock (_lock) { return StatementKeys.Jwks(_key.ExportParameters(includePrivateParameters: false), KeyId); }
    }

    /// <summary>The private key as PEM, PKCS#8. For a key file that only its owner may read.</summary>
    public string ExportPem()
    {
        lock (_lock) { return _key.ExportPkcs8PrivateKeyPem() + "\n"; }
    }

    public override string ToString() => KeyId;

    public void Dispose() => _key.Dispose();

    private static StatementSigner FromJwk(string text)
    {
        using JsonDocument document = HoldJson.ParseObject(Encoding.UTF8.GetBytes(text), KeyFileBytesMax);
        JsonElement jwk = document.RootElement;
        if (!StatementKeys.IsForStatements(jwk)) { throw new HoldFormatException("it is not an EC key on P-256 for ES256 signatures"); }
        string? keyId = HoldJson.OptionalString(jwk, "kid", 200);
        ECParameters parameters = StatementKeys.Parameters(jwk, secret: true);
        try
        {
            return Checked(ECDsa.Create(parameters), keyId);
        }
        catch (CryptographicException)
        {
            throw new HoldFormatException("its numbers are not a key on P-256");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(parameters.D);
        }
    }

    private static StatementSigner FromPem(string text)
    {
        if (text.Length > KeyFileBytesMax) { throw new HoldFormatException("it is larger than 64 KiB"); }
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(text);
            return Checked(key, null);
        }
        catch (Exception refused) when (refused is CryptographicException or ArgumentException)
        {
            key.Dispose();
            throw new HoldFormatException("it is neither an unencrypted PEM of an EC private key nor a JWK");
        }
        catch (HoldFormatException)
        {
            key.Dispose();
            throw;
        }
    }

    private static StatementSigner Checked(ECDsa key, string? keyId)
    {
        ECParameters parameters;
        try
        {
            parameters = key.ExportParameters(includePrivateParameters: true);
        }
        catch (CryptographicException)
        {
            throw new HoldFormatException("it is a public key");
        }
        bool onCurve = parameters.Curve.IsNamed && parameters.Curve.Oid.Value == P256;
        CryptographicOperations.ZeroMemory(parameters.D);
        if (!onCurve) { throw new HoldFormatException("it is not on the curve P-256"); }

        // A JWK may pair one key's secret with another's public point: nothing that it signs would ever verify.
        Span<byte> probe = stackalloc byte[StatementJws.SignatureBytes];
        key.SignData("probe"u8, probe, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        using var publicKey = ECDsa.Create(new ECParameters { Curve = parameters.Curve, Q = parameters.Q });
        return publicKey.VerifyData("probe"u8, probe, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation)
            ? new StatementSigner(key, keyId)
            : throw new HoldFormatException("its public point does not belong to its secret");
    }
}
