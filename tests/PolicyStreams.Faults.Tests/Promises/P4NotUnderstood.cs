using System.Buffers.Binary;
using System.Text;
using PolicyStreams.Faults.Tests.Simulation;
using PolicyStreams.Processor.Testing;

namespace PolicyStreams.Faults.Tests.Promises;

/// <summary>
/// P4: what is not understood is never on a governed topic. Random damage to good records; whether what is left can be read is said by a decoder of this test's own, strict
/// and written for its one schema.
/// </summary>
public sealed class P4NotUnderstood
{
    private const int Records = 5_000;

    [Fact]
    public void Deliver_DamagedRecords_OnlyReadableOnesAreGoverned()
    {
        int seed = int.TryParse(Environment.GetEnvironmentVariable("POLICYSTREAMS_FAULTS_SEED"), out int given) ? given : 4;
        var random = new Random(seed);
        using var world = new SimWorld();
        using var driver = new TopologyDriver(world.Policies[0].Compiled, new SimClock(), world.Keys) { AutoCommit = false };
        var readable = new List<bool>();
        SimKind[] kinds = [SimKind.Clean, SimKind.Eu, SimKind.Large, SimKind.Phone, SimKind.NoteMissing, SimKind.Sanctioned];
        for (int i = 0; i < Records; i++)
        {
            SimRecord record = SimRecord.Make(kinds[random.Next(kinds.Length)], i, 1 + (i % 3), SimWorld.UnknownSchema());
            byte[] value = Damaged(record.Value!, random);
            readable.Add(IsReadable(value));
            driver.Append(SimPolicy.Ingress, record.KeyBytes, value, record.Headers);
        }

        for (int i = 0; i < Records; i++)
        {
            Assert.True(driver.Deliver(SimPolicy.Ingress));
            if (i % 100 == 99) { driver.Commit(); }
        }

        HashSet<string> governed = [.. driver.Read(SimPolicy.Governed).Concat(driver.Read(SimPolicy.GovernedEu)).Concat(driver.Read(SimPolicy.Held)).Select(record => record.Header("ps-decision")!)];
        for (int i = 0; i < Records; i++)
        {
            Assert.True(readable[i] || !governed.Contains($"{SimPolicy.Ingress}-0-{i}"), $"seed {seed}: record {i} cannot be read and was not denied");
        }

        // Each is decided, and the damage is neither all nor nothing.
        Assert.Equal(Records, driver.Decisions().Count);
        Assert.InRange(readable.Count(ok => ok), Records / 10, Records * 9 / 10);
    }

    private static byte[] Damaged(byte[] value, Random random)
    {
        byte[] bytes = [.. value];
        switch (random.Next(8))
        {
            case 0: return bytes[..random.Next(bytes.Length)];
            case 1: return [.. bytes, (byte)random.Next(256)];
            case 2: bytes[random.Next(5)] ^= (byte)(1 << random.Next(8)); return bytes;
            case 3: bytes[random.Next(5, bytes.Length)] = 0xFF; return bytes;
            case 4: bytes[random.Next(5, bytes.Length)] ^= (byte)(1 << random.Next(8)); return bytes;
            case 5: return [.. bytes[..5], .. bytes[random.Next(5, bytes.Length)..]];
            case 6: random.NextBytes(bytes.AsSpan(5)); return bytes;
            default: return bytes;
        }
    }

    /// <summary>Avro's binary encoding of the simulation's schema, to its last byte.</summary>
    private static bool IsReadable(byte[] value)
    {
        if (value.Length < 5 || value[0] != 0 || BinaryPrimitives.ReadInt32BigEndian(value.AsSpan(1)) != SimRecord.SchemaId) { return false; }
        ReadOnlySpan<byte> rest = value.AsSpan(5);
        return Text(ref rest) && Skip(ref rest, 8) && Text(ref rest) && Text(ref rest) && Optional(ref rest) && Optional(ref rest) && rest.Length == 0;
    }

    private static bool Optional(ref ReadOnlySpan<byte> rest) => Long(ref rest, out long branch) && (branch == 0 || (branch == 1 && Text(ref rest)));

    private static bool Text(ref ReadOnlySpan<byte> rest)
    {
        if (!Long(ref rest, out long length) || length < 0 || length > rest.Length) { return false; }
        try
        {
            _ = new UTF8Encoding(false, throwOnInvalidBytes: true).GetCharCount(rest[..(int)length]);
        }
        catch (DecoderFallbackException)
        {
            return false;
        }

        return Skip(ref rest, (int)length);
    }

    private static bool Skip(ref ReadOnlySpan<byte> rest, int count)
    {
        if (rest.Length < count) { return false; }
        rest = rest[count..];
        return true;
    }

    private static bool Long(ref ReadOnlySpan<byte> rest, out long number)
    {
        ulong bits = 0;
        for (int i = 0; ; i++)
        {
            number = 0;
            if (i >= rest.Length || i == 10) { return false; }
            bits |= (ulong)(rest[i] & 0x7F) << (7 * i);
            if (rest[i] > 0x7F) { continue; }
            rest = rest[(i + 1)..];
            number = (long)(bits >> 1) ^ -(long)(bits & 1);
            return true;
        }
    }
}
