using System.Buffers.Binary;
using System.Text.Json;
using PolicyStreams.Schemas.Avro;

namespace PolicyStreams.Schemas.Tests.Avro;

public sealed class AvroDurationTextTests
{
    [Theory]
    [InlineData("\"P1M\"", 1, 0, 0)]
    [InlineData("\"P1Y2M3W4DT5H6M7.008S\"", 14, 25, 18_367_008)]
    [InlineData("\"PT0.5S\"", 0, 0, 500)]
    [InlineData("\"PT1,25S\"", 0, 0, 1250)]
    [InlineData("\"P0D\"", 0, 0, 0)]
    [InlineData("\"P4294967295D\"", 0, 4294967295, 0)]
    [InlineData("{\"months\":1,\"millis\":7}", 1, 0, 7)]
    [InlineData("{}", 0, 0, 0)]
    public void TryDuration_UsualText_IsItsNumbers(string json, uint months, uint days, uint millis)
    {
        Assert.True(AvroText.TryDuration(JsonDocument.Parse(json).RootElement, out byte[] bytes));
        Assert.Equal((months, days, millis), (BinaryPrimitives.ReadUInt32LittleEndian(bytes), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(4)), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(8))));
    }

    [Theory]
    [InlineData("\"\"")]
    [InlineData("\"P\"")]
    [InlineData("\"PT\"")]
    [InlineData("\"P1\"")]
    [InlineData("\"1M\"")]
    [InlineData("\"-P1M\"")]
    [InlineData("\"P-1M\"")]
    [InlineData("\"P1MT\"")]
    [InlineData("\"P1M1Y\"")]
    [InlineData("\"P1M1M\"")]
    [InlineData("\"P1.5M\"")]
    [InlineData("\"PT1.0001S\"")]
    [InlineData("\"PT1.S\"")]
    [InlineData("\"PT1D\"")]
    [InlineData("\"P1H\"")]
    [InlineData("\"P4294967296D\"")]
    [InlineData("\"P999999999999Y\"")]
    [InlineData("\"P9999999999999999999999Y\"")]
    [InlineData("\"P1M \"")]
    [InlineData("{\"months\":-1}")]
    [InlineData("{\"weeks\":1}")]
    [InlineData("7")]
    public void TryDuration_AnythingElse_IsRefused(string json) => Assert.False(AvroText.TryDuration(JsonDocument.Parse(json).RootElement, out _));
}
