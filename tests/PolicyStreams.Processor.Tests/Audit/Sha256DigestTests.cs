using System.Security.Cryptography;
using PolicyStreams.Processor.Audit;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Native;
using PolicyStreams.Processor.Tests.Topology;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Tests.Audit;

public sealed class Sha256DigestTests
{
    [Theory]
    [InlineData(RecordPath.Native)]
    [InlineData(RecordPath.Managed)]
    public void Compute_AnyLengthPrefixAndKey_AgreesWithNet(RecordPath path)
    {
        int seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}, native is there: {LibCrypto.IsAvailable}");
        var random = new Random(seed);
        Span<byte> got = stackalloc byte[32];
        for (int length = 0; length < 400; length++)
        {
            byte[] data = new byte[length];
            random.NextBytes(data);
            byte[] prefix = new byte[random.Next(70)];
            random.NextBytes(prefix);
            byte[] key = new byte[random.Next(1, 150)];
            random.NextBytes(key);
            using Sha256Digest plain = Sha256Digest.Plain(path, prefix);
            using Sha256Digest keyed = Sha256Digest.Keyed(path, key);

            // Twice each: one computation leaves nothing behind for the next.
            for (int i = 0; i < 2; i++)
            {
                plain.Compute(data, got);
                Assert.Equal(SHA256.HashData([.. prefix, .. data]), got);
                keyed.Compute(data, got);
                Assert.Equal(HMACSHA256.HashData(key, data), got);
            }
        }
    }

    [Theory]
    [InlineData(RecordPath.Native)]
    [InlineData(RecordPath.Managed)]
    public void Compute_IntoItsOwnSource_IsTheSame(RecordPath path)
    {
        using Sha256Digest digest = Sha256Digest.Keyed(path, new byte[32]);
        byte[] data = new byte[64];
        byte[] expected = HMACSHA256.HashData(new byte[32], data);
        digest.Compute(data, data.AsSpan(32));

        Assert.Equal(expected, data.AsSpan(32));
    }

    [Fact]
    public void Native_DestinationTooShort_IsRefused()
    {
        if (!LibCrypto.IsAvailable) { Assert.Skip("no OpenSSL 3"); }
        using Sha256Digest digest = Sha256Digest.Plain(RecordPath.Native);

        Assert.Throws<ArgumentException>(() => digest.Compute([1], new byte[31]));
    }

    [Fact]
    public void Masks_OnTheHostsHash_AreTheSame()
    {
        CompiledBinding binding = Payments.Policy("""
              - { id: card, mask: { tag: PAN, encrypt: customer-key } }
              - { id: email, mask: { field: email, hmac: customer-key } }
            """).Bindings["payments"];
        int made = 0;
        var judges = new[]
        {
            new Judge(),
            new Judge(key =>
            {
                made++;
                return Sha256Digest.Keyed(RecordPath.Native, key);
            }),
        };
        string[] masked = [.. judges.Select(judge =>
        {
            var output = new ByteBuffer();
            for (int i = 0; i < 20; i++)
            {
                var verdict = new Verdict();
                judge.Decide(binding, new RecordInput { Topic = Payments.Ingress, Offset = i, Value = Payments.Value(email: new string('e', 5 * i) + "@x"), HasValue = true, Headers = RecordHeaders.Empty, Principal = Principal.None }, output, verdict);
                Assert.Equal(Outcome.Allow, verdict.Outcome);
            }

            return Convert.ToHexString(output.Written);
        })];

        Assert.Equal(masked[0], masked[1]);
        Assert.Equal(2, made);
    }
}
