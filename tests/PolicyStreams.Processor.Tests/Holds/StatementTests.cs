using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using PolicyStreams.Processor.Holds;

namespace PolicyStreams.Processor.Tests.Holds;

public sealed class StatementTests
{
    private static readonly Statement Sample = HoldSamples.Says(HoldSamples.Hold(), "ann");

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 100)];

    [Theory, MemberData(nameof(Seeds))]
    public void Verify_WhatWasSigned_GivesTheStatementBack(int seed)
    {
        var random = new Random(seed);
        using StatementSigner signer = StatementSigner.Generate();
        using StatementVerifier verifier = Trusting(signer);
        Statement statement = Sample with
        {
            Subject = HoldSamples.AnyText(random, 30),
            Reason = HoldSamples.AnyText(random, 400),
            Groups = [HoldSamples.AnyText(random, 9), ""],
            Record = random.Next(2) == 0 ? null : HoldSamples.Record,
            Verdict = (StatementVerdict)random.Next(2),
        };
        StatementOutcome outcome = verifier.Verify(signer.Sign(statement), out Statement? read);
        Assert.True(outcome == StatementOutcome.Valid, $"seed {seed}: {outcome}");
        Assert.Equal(statement.Groups, read!.Groups);
        Assert.Equal(statement, read with { Groups = statement.Groups });
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Verify_AnyByteChanged_IsNeverValidAndNeverThrows(int seed)
    {
        var random = new Random(seed);
        using StatementSigner signer = StatementSigner.Generate();
        using StatementVerifier verifier = Trusting(signer);
        byte[] jws = signer.Sign(Sample);

        // The last character carries padding bits only in part: leave it out, every other one is signed or is signature.
        for (int round = 0; round < 30; round++)
        {
            byte[] changed = [.. jws];
            int at = random.Next(changed.Length - 1);
            byte value = (byte)random.Next(256);
            if (value == changed[at]) { continue; }
            changed[at] = value;
            Assert.True(verifier.Verify(changed, out Statement? read) != StatementOutcome.Valid && read is null, $"seed {seed}, byte {at}");
        }
    }

    [Fact]
    public void Verify_CutAnywhere_IsNotValid()
    {
        using StatementSigner signer = StatementSigner.Generate();
        using StatementVerifier verifier = Trusting(signer);
        byte[] jws = signer.Sign(Sample);
        for (int length = 0; length < jws.Length; length++) { Assert.NotEqual(StatementOutcome.Valid, verifier.Verify(jws.AsSpan(0, length), out _)); }
    }

    [Fact]
    public void Verify_AnotherKey_IsUnknownAndWithItsIdABadSignature()
    {
        using var trusted = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using StatementVerifier verifier = StatementVerifier.TryParse(StatementKeys.Jwks(trusted.ExportParameters(false), "k1"), out _)!;
        Assert.Equal(StatementOutcome.UnknownKey, verifier.Verify(Jws(other, """{"alg":"ES256","kid":"k2","typ":"policystreams-statement+jwt"}"""), out _));
        Assert.Equal(StatementOutcome.BadSignature, verifier.Verify(Jws(other, """{"alg":"ES256","kid":"k1","typ":"policystreams-statement+jwt"}"""), out _));
        Assert.Equal(StatementOutcome.Valid, verifier.Verify(Jws(trusted, """{"alg":"ES256","kid":"k1","typ":"policystreams-statement+jwt"}"""), out _));
    }

    [Theory]
    [InlineData("""{"alg":"none","kid":"k1","typ":"policystreams-statement+jwt"}""", StatementOutcome.WrongType)]
    [InlineData("""{"alg":"HS256","kid":"k1","typ":"policystreams-statement+jwt"}""", StatementOutcome.WrongType)]
    [InlineData("""{"alg":"ES256","kid":"k1","typ":"JWT"}""", StatementOutcome.WrongType)]
    [InlineData("""{"alg":"ES256","kid":"k1"}""", StatementOutcome.WrongType)]
    [InlineData("""{"alg":"ES256","typ":"policystreams-statement+jwt"}""", StatementOutcome.Malformed)]
    [InlineData("""{"alg":"ES256","kid":"k1","typ":"policystreams-statement+jwt","crit":["exp"],"exp":1}""", StatementOutcome.Malformed)]
    [InlineData("""{"alg":"ES256","alg":"none","kid":"k1","typ":"policystreams-statement+jwt"}""", StatementOutcome.Malformed)]
    [InlineData("""[]""", StatementOutcome.Malformed)]
    public void Verify_OtherHeader_IsRefusedAlthoughSigned(string header, StatementOutcome expected)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using StatementVerifier verifier = StatementVerifier.TryParse(StatementKeys.Jwks(key.ExportParameters(false), "k1"), out _)!;
        Assert.Equal(expected, verifier.Verify(Jws(key, header), out _));
    }

    [Theory]
    [InlineData("""{"v":2}""", StatementOutcome.WrongType)]
    [InlineData("""{"v":1}""", StatementOutcome.Malformed)]
    [InlineData("""not json""", StatementOutcome.Malformed)]
    public void Verify_OtherPayload_IsRefusedAlthoughSigned(string payload, StatementOutcome expected)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using StatementVerifier verifier = StatementVerifier.TryParse(StatementKeys.Jwks(key.ExportParameters(false), "k1"), out _)!;
        Assert.Equal(expected, verifier.Verify(Jws(key, """{"alg":"ES256","kid":"k1","typ":"policystreams-statement+jwt"}""", payload), out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("a.b")]
    [InlineData("a.b.c.d")]
    [InlineData("ey J9.e30.AAAA")]
    [InlineData("eyJ9=.e30.AAAA")]
    public void Verify_NoCompactJws_IsMalformed(string text)
    {
        using StatementVerifier verifier = Trusting(StatementSigner.Generate());
        Assert.Equal(StatementOutcome.Malformed, verifier.Verify(Encoding.UTF8.GetBytes(text), out _));
    }

    [Fact]
    public void Verify_TooLarge_IsNotLookedAt()
    {
        using StatementVerifier verifier = Trusting(StatementSigner.Generate());
        Assert.Equal(StatementOutcome.TooLarge, verifier.Verify(new byte[StatementVerifier.BytesMax + 1], out _));
    }

    [Fact]
    public void Signer_ExportedPem_SignsUnderTheSameId()
    {
        using StatementSigner signer = StatementSigner.Generate();
        using StatementSigner again = StatementSigner.TryParse(signer.ExportPem(), out _)!;
        using StatementVerifier verifier = Trusting(signer);
        Assert.Equal(signer.KeyId, again.KeyId);
        Assert.Equal(StatementOutcome.Valid, verifier.Verify(again.Sign(Sample), out _));
    }

    [Fact]
    public void Signer_Jwk_KeepsItsKid()
    {
        // RFC 7515 appendix A.3's key.
        const string jwk = """{"kty":"EC","crv":"P-256","kid":"rfc","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}""";
        using StatementSigner signer = StatementSigner.TryParse(jwk, out string? error)!;
        Assert.Null(error);
        Assert.Equal("rfc", signer.KeyId);
        using StatementVerifier verifier = Trusting(signer);
        Assert.Equal(StatementOutcome.Valid, verifier.Verify(signer.Sign(Sample), out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----")]
    [InlineData("""{"kty":"RSA","n":"AQAB","e":"AQAB"}""")]
    [InlineData("""{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}""")]
    [InlineData("""{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}""")]
    [InlineData("""{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}""")]
    public void Signer_NoSigningKey_IsAnErrorThatNamesTheRemedyAndNotTheKey(string text)
    {
        Assert.Null(StatementSigner.TryParse(text, out string? error));
        Assert.Contains("keygen", error);
        Assert.DoesNotContain("jpsQ", error);
    }

    [Fact]
    public void Signer_KeyOnAnotherCurveOrPublic_IsRefused()
    {
        using var large = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        using var small = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Assert.Null(StatementSigner.TryParse(large.ExportPkcs8PrivateKeyPem(), out string? curve));
        Assert.Contains("P-256", curve);
        Assert.Null(StatementSigner.TryParse(small.ExportSubjectPublicKeyInfoPem(), out string? isPublic));
        Assert.Contains("public", isPublic);
    }

    [Fact]
    public void Verifier_SeveralKeys_TakesEachAndPassesOverOtherKinds()
    {
        using StatementSigner first = StatementSigner.Generate();
        using StatementSigner second = StatementSigner.Generate();
        string Inner(StatementSigner signer) => signer.PublicJwks().Split('[', ']')[1];
        using StatementVerifier verifier = StatementVerifier.TryParse($$"""{"keys":[{{Inner(first)}},{"kty":"RSA","n":"AQAB","e":"AQAB"},{{Inner(second)}}]}""", out _)!;
        Assert.Equal(2, verifier.KeyIds.Count);
        Assert.Equal(StatementOutcome.Valid, verifier.Verify(first.Sign(Sample), out _));
        Assert.Equal(StatementOutcome.Valid, verifier.Verify(second.Sign(Sample), out _));
    }

    [Theory]
    [InlineData("""{"keys":[]}""", "no EC public key")]
    [InlineData("""{"keys":{}}""", "`keys`")]
    [InlineData("""[]""", "object")]
    [InlineData("""{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}]}""", "secret")]
    [InlineData("""{"keys":[{"kty":"EC","crv":"P-256","x":"AAAA","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}""", "32 bytes")]
    [InlineData("""{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}]}""", "not a point")]
    public void Verifier_UnusableSet_SaysWhy(string jwks, string expected)
    {
        Assert.Null(StatementVerifier.TryParse(jwks, out string? error));
        Assert.Contains(expected, error);
    }

    private static StatementVerifier Trusting(StatementSigner signer) => StatementVerifier.TryParse(signer.PublicJwks(), out _)!;

    private static byte[] Jws(ECDsa key, string header, string? payload = null)
    {
        var body = new Schemas.Capture.ByteBuffer();
        if (payload is null) { StatementJws.Write(Sample, body); }
        else { body.Append(Encoding.UTF8.GetBytes(payload)); }
        string signed = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header)) + "." + Base64Url.EncodeToString(body.Written);
        return Encoding.ASCII.GetBytes(signed + "." + Base64Url.EncodeToString(key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256)));
    }
}
