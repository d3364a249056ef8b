using System.Diagnostics;
using System.Globalization;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Tests.Avro;
using PolicyStreams.Tests;

namespace PolicyStreams.Schemas.Tests;

/// <summary>
/// Damaged frames and keys: nothing throws, hangs, or allocates; what is taken has its payload inside the bytes, and a reader that looks at the prefix alone and one that looks at the
/// header alone come to the same schema. 3 s, or POLICYSTREAMS_FUZZ_SECONDS; POLICYSTREAMS_FUZZ_SEED repeats a run.
/// </summary>
public class FrameFuzzTests(ITestOutputHelper output)
{
    private static readonly Guid[] s_guids = [new("89791762-2336-4186-9674-299b90a802e2"), new("00000000-0000-0000-0000-000000000001")];

    [Fact]
    public void Read_DamagedFrames_NeverMeansTwoThings()
    {
        int read = 0, refused = 0, unsettled = 0;
        Run(random =>
        {
            byte[] value = Bytes(random);
            byte[] header = random.Next(3) == 0 ? [] : Bytes(random);
            int headers = header.Length == 0 ? 0 : random.Next(1, 3);
            var framing = (PolicyStreams.Schemas.Framing)random.Next(4);
            var rivals = new Rivals(random.Next(3), random.Next(2) == 0 ? SchemaIdStanding.Unknown : SchemaIdStanding.Absent);
            DecodeOutcome outcome = FrameReader.Read(framing, value, header, headers, out SchemaFrame frame, rivals);
            Assert.Equal(0, Allocated.By(() => FrameReader.Read(framing, value, header, headers, out _, rivals)));
            string what = $"{framing} {Convert.ToHexString(value)} {Convert.ToHexString(header)} x{headers}";
            if (outcome != DecodeOutcome.Decoded)
            {
                refused++;
                Assert.True(outcome is DecodeOutcome.NotFramed or DecodeOutcome.FrameConflict or DecodeOutcome.EmptyValue or DecodeOutcome.MissingId or DecodeOutcome.TruncatedId, what);
                Assert.Equal(default, frame);
                return;
            }

            if (frame.Unsettled)
            {
                // Nothing is read before somebody says whose id it is.
                unsettled++;
                Assert.True(frame.PayloadStart == 0 && frame.Schema.Kind == SchemaRefKind.Id && headers == 1 && rivals.Standing((int)frame.Schema.Id, out _) == SchemaIdStanding.Unknown, what);
                return;
            }

            read++;
            Assert.True(frame.PayloadStart >= 0 && frame.PayloadStart <= value.Length, what);
            Assert.True(headers <= 1, what);
            if (headers == 1 && framing != PolicyStreams.Schemas.Framing.Confluent) { Assert.Fail(what); }
            if (framing == PolicyStreams.Schemas.Framing.None || headers == 0) { return; }

            // Who reads the header first finds this schema, or the one that is known to be the same.
            Assert.Equal(DecodeOutcome.Decoded, FrameReader.Read(PolicyStreams.Schemas.Framing.Confluent, header, default, 0, out SchemaFrame named));
            bool same = named.Schema == frame.Schema || (named.Schema.Kind != frame.Schema.Kind && frame.PayloadStart > 0);
            Assert.True(same, what);

            // Who knows only the prefix finds it too, or an id that no schema has.
            if (FrameReader.Read(PolicyStreams.Schemas.Framing.Confluent, value, default, 0, out SchemaFrame front) != DecodeOutcome.Decoded) { return; }
            Assert.True(front.Schema == frame.Schema || (front.Schema.Kind == SchemaRefKind.Id && rivals.Standing((int)front.Schema.Id, out _) == SchemaIdStanding.Absent), what);
        });
        output.WriteLine($"read {read}, refused {refused}, unsettled {unsettled}");
        Assert.True(read > 100 && refused > 100 && unsettled > 100);
    }

    [Fact]
    public void Keys_Damaged_AreReadOrRefused()
    {
        AvroSchema schema = AvroSchema.Parse("""{"type":"record","name":"K","fields":[{"name":"id","type":"string"},{"name":"n","type":["null","long"]},{"name":"tags","type":{"type":"map","values":"string"}}]}""");
        byte[] sound = AvroFixture.Encode(schema, """{"id":"c-1","n":42,"tags":{"a":"b","c":"d"}}""");
        byte[] json = """{"id":"c-1","n":42,"tags":{"a":"b"}}"""u8.ToArray();
        int read = 0, refused = 0;
        Run(random =>
        {
            byte[] key = Damage(random.Next(2) == 0 ? sound : json, random);
            long before = GC.GetAllocatedBytesForCurrentThread();
            DecodeOutcome outcome = random.Next(4) switch
            {
                0 => KeyReader.ReadString(key, out _),
                1 => KeyReader.ReadLong(key, out _),
                2 => KeyReader.Read(schema, key, out _),
                _ => KeyReader.Read(PolicyStreams.Schemas.Json.SchemalessJson.Instance, key, out _),
            };
            Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 65_536 + (256L * key.Length), Convert.ToHexString(key));
            if (outcome == DecodeOutcome.Decoded) { read++; }
            else { refused++; }
        });
        output.WriteLine($"read {read}, refused {refused}");
        Assert.True(read > 100 && refused > 100);
    }

    private void Run(Action<Random> round)
    {
        double seconds = double.TryParse(Environment.GetEnvironmentVariable("POLICYSTREAMS_FUZZ_SECONDS"), NumberStyles.Float, CultureInfo.InvariantCulture, out double given) ? given : 3;
        int seed = Fuzz.Seed();
        output.WriteLine($"seed {seed}");
        var watch = Stopwatch.StartNew();
        for (int number = seed; watch.Elapsed.TotalSeconds < seconds; number++)
        {
            try { round(new Random(number)); }
            catch (Exception e) { throw new InvalidOperationException($"POLICYSTREAMS_FUZZ_SEED={number} repeats this.", e); }
        }
    }

    /// <summary>A prefix of some kind, whole or not, and something behind it.</summary>
    private static byte[] Bytes(Random random)
    {
        byte[] rest = new byte[random.Next(12)];
        random.NextBytes(rest);
        Guid guid = s_guids[random.Next(s_guids.Length)];
        byte[] bytes = random.Next(6) switch
        {
            0 => [0, 0, 0, 0, (byte)random.Next(4)],
            1 => [1, .. guid.ToByteArray(bigEndian: true)],
            2 => [0, 0, 0, 0, (byte)random.Next(4), .. rest],
            3 => [1, .. guid.ToByteArray(bigEndian: true), .. rest],
            4 => [0, 0, 0, 0, 0, 0, 0, 0, (byte)random.Next(4), .. rest],
            _ => rest,
        };
        return random.Next(3) == 0 ? Damage(bytes, random) : bytes;
    }

    private static byte[] Damage(byte[] bytes, Random random)
    {
        List<byte> damaged = [.. bytes];
        for (int i = random.Next(4); i > 0 && damaged.Count > 0; i--)
        {
            int at = random.Next(damaged.Count);
            switch (random.Next(4))
            {
                case 0: damaged[at] = (byte)random.Next(256); break;
                case 1: damaged.RemoveAt(at); break;
                case 2: damaged.Insert(at, (byte)random.Next(256)); break;
                default: damaged.RemoveRange(at, damaged.Count - at); break;
            }
        }

        return [.. damaged];
    }

    /// <summary>Knows as many ids as it is told: id 1 is the first GUID, and so on.</summary>
    private sealed class Rivals(int known, SchemaIdStanding others) : IFrameRivals
    {
        public SchemaIdStanding Standing(int id, out Guid? guid)
        {
            bool found = id >= 1 && id <= known;
            guid = found ? s_guids[id - 1] : null;
            return found ? SchemaIdStanding.Present : others;
        }
    }
}
