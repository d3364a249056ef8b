using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Schemas.Tests;

public class KeyReaderTests
{
    [Fact]
    public void ReadString_Utf8_IsText()
    {
        Assert.Equal(DecodeOutcome.Decoded, KeyReader.ReadString("c-1 ü"u8, out string text));
        Assert.Equal("c-1 ü", text);
        Assert.Equal(DecodeOutcome.Decoded, KeyReader.ReadString([], out text));
        Assert.Equal("", text);
    }

    [Fact]
    public void ReadString_NotUtf8_IsRefused() => Assert.Equal(DecodeOutcome.BadUtf8, KeyReader.ReadString([0x61, 0xFF], out _));

    [Theory]
    [InlineData("0000000000000001", 1, DecodeOutcome.Decoded)]
    [InlineData("ffffffffffffffff", -1, DecodeOutcome.Decoded)]
    [InlineData("8000000000000000", long.MinValue, DecodeOutcome.Decoded)]
    [InlineData("", 0, DecodeOutcome.Truncated)]
    [InlineData("00000001", 0, DecodeOutcome.Truncated)]
    [InlineData("000000000000000001", 0, DecodeOutcome.TrailingBytes)]
    public void ReadLong_EightBytesOnly(string hex, long expected, DecodeOutcome outcome)
    {
        Assert.Equal(outcome, KeyReader.ReadLong(Convert.FromHexString(hex), out long value));
        Assert.Equal(expected, value);
    }

    [Fact]
    public void WriteLong_ThenReadLong_IsTheSame()
    {
        byte[] key = new byte[8];
        KeyReader.WriteLong(-42, key);
        Assert.Equal(DecodeOutcome.Decoded, KeyReader.ReadLong(key, out long value));
        Assert.Equal(-42, value);
    }

    [Fact]
    public void Read_Json_IsPlain()
    {
        Assert.Equal(DecodeOutcome.Decoded, KeyReader.Read(SchemalessJson.Instance, "\"k\""u8, out object? plain));
        Assert.Equal("k", plain);
        Assert.Equal(DecodeOutcome.EmptyValue, KeyReader.Read(SchemalessJson.Instance, [], out _));
    }
}
