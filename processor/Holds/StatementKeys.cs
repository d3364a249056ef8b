using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace PolicyStreams.Processor.Holds;

/// <summary>Elliptic-curve keys on P-256 as JSON Web Keys (RFC 7517, RFC 7518 section 6.2).</summary>
internal static class StatementKeys
{
    internal const int CoordinateBytes = 32;

    /// <summary>RFC 7638: the key's own name where a JWK gives none.</summary>
    internal static string Thumbprint(ECParameters key)
    {
        string canonical = $$"""{"crv":"P-256","kty":"EC","x":"{{Base64Url.EncodeToString(key.Q.X)}}","y":"{{Base64Url.EncodeToString(key.Q.Y)}}"}""";
        return HoldState.DigestOf(Encoding.ASCII.GetBytes(canonical));
    }

    internal static string Jwks(ECParameters key, string keyId) =>
        $$"""
        {
          "keys": [
            {
              "kty": "EC",
              "crv": "P-256",
              "use": "sig",
              "alg": "ES256",
              "kid": {{JsonSerializer.Serialize(keyId)}},
              "x": "{{Base64Url.EncodeToString(key.Q.X)}}",
              "y": "{{Base64Url.EncodeToString(key.Q.Y)}}"
            }
          ]
        }

        """;

    /// <summary>Whether a JWK could sign or check a statement at all; others in a set are passed over, as RFC 7517 section 5 asks.</summary>
    internal static bool IsForStatements(JsonElement jwk) =>
        Is(jwk, "kty", "EC", required: true) && Is(jwk, "crv", "P-256", required: true) && Is(jwk, "use", "sig", required: false) && Is(jwk, "alg", StatementJws.Algorithm, required: false);

    /// <exception cref="HoldFormatException">A coordinate is missing or has another length.</exception>
    internal static ECParameters Parameters(JsonElement jwk, bool secret) => new()
    {
        Curve = ECCurve.NamedCurves.nistP256,
        Q = new ECPoint { X = Coordinate(jwk, "x"), Y = Coordinate(jwk, "y") },
        D = secret ? Coordinate(jwk, "d") : null,
    };

    private static bool Is(JsonElement jwk, string name, string expected, bool required) =>
        jwk.TryGetProperty(name, out JsonElement element) ? element.ValueKind == JsonValueKind.String && element.ValueEquals(expected) : !required;

    private static byte[] Coordinate(JsonElement jwk, string name)
    {
        string text = HoldJson.String(jwk, name, 64);
        byte[] bytes = new byte[CoordinateBytes + 32];
        return Base64Url.IsValid(text) && Base64Url.TryDecodeFromChars(text, bytes, out int written) && written == CoordinateBytes
            ? bytes[..CoordinateBytes]
            : throw new HoldFormatException($"`{name}` is not 32 bytes in base64url");
    }
}
