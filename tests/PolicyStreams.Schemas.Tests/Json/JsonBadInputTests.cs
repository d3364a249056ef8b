using System.Diagnostics;
using System.Text;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Schemas.Tests;

public class JsonBadInputTests
{
    // Rows of a list inside rows are counted before they are walked.
    [Theory]
    [InlineData("{\"items\":[", DecodeOutcome.Truncated)]
    [InlineData("{\"items\":[{\"b\": [", DecodeOutcome.Truncated)]
    [InlineData("{\"items\":[}", DecodeOutcome.Malformed)]
    [InlineData("{\"items\":[/**/]}", DecodeOutcome.Comment)]
    public void Walk_OfRowsInsideRows_SaysWhatAnyWalkSays(string json, DecodeOutcome expected)
    {
        var kit = new JsonKit();
        JsonKit.Capture(JsonKit.Rows(JsonKit.Rows(kit.Root, "items"), "b"), CaptureMode.Scalar, "a");

        Assert.Equal(expected, kit.Walk(System.Text.Encoding.UTF8.GetBytes(json)));
        Assert.Equal(expected, SchemalessJson.Instance.Decode(System.Text.Encoding.UTF8.GetBytes(json), out _));
    }

    [Theory]
    [InlineData("", DecodeOutcome.EmptyValue)]
    [InlineData("  ", DecodeOutcome.Truncated)]
    [InlineData("{", DecodeOutcome.Truncated)]
    [InlineData("{\"a", DecodeOutcome.Truncated)]
    [InlineData("{\"a\"", DecodeOutcome.Truncated)]
    [InlineData("{\"a\":", DecodeOutcome.Truncated)]
    [InlineData("{\"a\":1", DecodeOutcome.Truncated)]
    [InlineData("{\"a\":1,", DecodeOutcome.Truncated)]
    [InlineData("[", DecodeOutcome.Truncated)]
    [InlineData("[1", DecodeOutcome.Truncated)]
    [InlineData("[1,", DecodeOutcome.Truncated)]
    [InlineData("\"a", DecodeOutcome.Truncated)]
    [InlineData("\"\\", DecodeOutcome.Truncated)]
    [InlineData("\"\\u00", DecodeOutcome.Truncated)]
    [InlineData("\"\\ud800\\u", DecodeOutcome.Truncated)]
    [InlineData("tru", DecodeOutcome.Truncated)]
    [InlineData("-", DecodeOutcome.Truncated)]
    [InlineData("1.", DecodeOutcome.Truncated)]
    [InlineData("1e+", DecodeOutcome.Truncated)]
    [InlineData("\uFEFF{}", DecodeOutcome.ByteOrderMark)]
    [InlineData("\uFEFF", DecodeOutcome.ByteOrderMark)]
    [InlineData("[\uFEFF1]", DecodeOutcome.Malformed)]
    [InlineData("{,}", DecodeOutcome.Malformed)]
    [InlineData("{\"a\":1,}", DecodeOutcome.Malformed)]
    [InlineData("{\"a\" 1}", DecodeOutcome.Malformed)]
    [InlineData("{a:1}", DecodeOutcome.Malformed)]
    [InlineData("{'a':1}", DecodeOutcome.Malformed)]
    [InlineData("[1,]", DecodeOutcome.Malformed)]
    [InlineData("[1 2]", DecodeOutcome.Malformed)]
    [InlineData("[1}", DecodeOutcome.Malformed)]
    [InlineData("]", DecodeOutcome.Malformed)]
    [InlineData("NaN", DecodeOutcome.NotANumber)]
    [InlineData("[1,-NaN]", DecodeOutcome.NotANumber)]
    [InlineData("Infinity", DecodeOutcome.NotANumber)]
    [InlineData("-Infinity", DecodeOutcome.NotANumber)]
    [InlineData("[Nan]", DecodeOutcome.Malformed)]
    [InlineData("+1", DecodeOutcome.Malformed)]
    [InlineData(".5", DecodeOutcome.Malformed)]
    [InlineData("-x", DecodeOutcome.Malformed)]
    [InlineData("[1.]", DecodeOutcome.Malformed)]
    [InlineData("[1ex]", DecodeOutcome.Malformed)]
    [InlineData("True", DecodeOutcome.Malformed)]
    [InlineData("nul ", DecodeOutcome.Malformed)]
    [InlineData("/* c */{}", DecodeOutcome.Comment)]
    [InlineData("{/**/}", DecodeOutcome.Comment)]
    [InlineData("{\"a\"/**/:1}", DecodeOutcome.Comment)]
    [InlineData("{\"a\"://\n1}", DecodeOutcome.Comment)]
    [InlineData("[1/**/]", DecodeOutcome.Comment)]
    [InlineData("[/]", DecodeOutcome.Malformed)]
    [InlineData("# c\n1", DecodeOutcome.Malformed)]
    [InlineData("[1, // c\n2]", DecodeOutcome.Comment)]
    [InlineData("\"a\nb\"", DecodeOutcome.Malformed)]
    [InlineData("\"a\u0000b\"", DecodeOutcome.Malformed)]
    [InlineData("\"\\x41\"", DecodeOutcome.Malformed)]
    [InlineData("\"\\u00g0\"", DecodeOutcome.Malformed)]
    [InlineData("\u00A0{}", DecodeOutcome.Malformed)]
    [InlineData("{} {}", DecodeOutcome.SecondDocument)]
    [InlineData("{}{}", DecodeOutcome.SecondDocument)]
    [InlineData("{}\n\"a\"", DecodeOutcome.SecondDocument)]
    [InlineData("[] null", DecodeOutcome.SecondDocument)]
    [InlineData("1 -2", DecodeOutcome.SecondDocument)]
    [InlineData("{},{}", DecodeOutcome.TrailingBytes)]
    [InlineData("{}]", DecodeOutcome.TrailingBytes)]
    [InlineData("nullnull", DecodeOutcome.TrailingBytes)]
    [InlineData("1-2", DecodeOutcome.TrailingBytes)]
    [InlineData("1 2", DecodeOutcome.SecondDocument)]
    [InlineData("01", DecodeOutcome.TrailingBytes)]
    [InlineData("{}\u0000", DecodeOutcome.TrailingBytes)]
    [InlineData("{} // c", DecodeOutcome.Comment)]
    [InlineData("\"\\ud800\"", DecodeOutcome.LoneSurrogate)]
    [InlineData("\"\\udc00\"", DecodeOutcome.LoneSurrogate)]
    [InlineData("\"\\ud800\\u0041\"", DecodeOutcome.LoneSurrogate)]
    [InlineData("\"\\ud800 \\udc00\"", DecodeOutcome.LoneSurrogate)]
    [InlineData("{\"\\udfff\":1}", DecodeOutcome.LoneSurrogate)]
    [InlineData("{\"a\":1,\"a\":2}", DecodeOutcome.DuplicateKey)]
    [InlineData("{\"a\":1,\"\\u0061\":2}", DecodeOutcome.DuplicateKey)]
    [InlineData("{\"\\u0061\":1,\"a\":2}", DecodeOutcome.DuplicateKey)]
    [InlineData("{\"\\u0061\":1,\"b\":{},\"\\u0061\":2}", DecodeOutcome.DuplicateKey)]
    [InlineData("{\"/\":1,\"\\/\":2}", DecodeOutcome.DuplicateKey)]
    [InlineData("{\"\":1,\"\":2}", DecodeOutcome.DuplicateKey)]
    [InlineData("[{\"b\":{\"c\":1,\"d\":2,\"c\":3}}]", DecodeOutcome.DuplicateKey)]
    [InlineData("{\"\uD83D\uDE00\":1,\"\\ud83d\\ude00\":2}", DecodeOutcome.DuplicateKey)]
    [InlineData("1e400", DecodeOutcome.NumberRange)]
    [InlineData("[-1e99999999999999999999]", DecodeOutcome.NumberRange)]
    public void Walk_BadText_IsRefusedWithItsReason(string json, DecodeOutcome expected)
    {
        Assert.Equal(expected, new JsonKit().Walk(json));
        Assert.Equal(expected, new JsonKit().Select("a", "b.c", "[*]").Walk(json));
    }

    [Theory]
    [InlineData("null")]
    [InlineData(" \t\r\n true \n")]
    [InlineData("0")]
    [InlineData("-0")]
    [InlineData("1E+2")]
    [InlineData("0.1000")]
    [InlineData("1e-9999999999999999")]
    [InlineData("12345678901234567890123")]
    [InlineData("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\u007f\"")]
    [InlineData("[]")]
    [InlineData("[ [ ] , { } ]")]
    [InlineData("{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":2}}")]
    [InlineData("{\"a\":1,\"A\":2,\"a \":3}")]
    public void Walk_SoundText_IsDecoded(string json) => Assert.Equal(DecodeOutcome.Decoded, new JsonKit().Walk(json));

    [Theory]
    [InlineData(new byte[] { (byte)'"', 0xFF, (byte)'"' })]
    [InlineData(new byte[] { (byte)'"', 0xC0, 0x80, (byte)'"' })]
    [InlineData(new byte[] { (byte)'"', 0xED, 0xA0, 0x80, (byte)'"' })]
    [InlineData(new byte[] { (byte)'"', 0xF4, 0x90, 0x80, 0x80, (byte)'"' })]
    [InlineData(new byte[] { (byte)'"', 0xE2, 0x82, (byte)'"' })]
    [InlineData(new byte[] { 0xFF, 0xFE, (byte)'{', 0 })]
    public void Walk_InvalidUtf8_IsRefused(byte[] json) => Assert.Equal(DecodeOutcome.BadUtf8, new JsonKit().Walk(json));

    [Fact]
    public void Walk_Nested100000Deep_IsTooDeep()
    {
        Assert.Equal(DecodeOutcome.TooDeep, new JsonKit().Walk(new string('[', 100_000)));
        Assert.Equal(DecodeOutcome.TooDeep, new JsonKit { Limits = new WalkLimits { DepthMax = int.MaxValue } }.Walk(string.Concat(Enumerable.Repeat("{\"a\":", 100_000))));
        Assert.Equal(DecodeOutcome.Decoded, new JsonKit().Walk(new string('[', 64) + new string(']', 64)));
        Assert.Equal(DecodeOutcome.TooDeep, new JsonKit().Walk(new string('[', 65) + new string(']', 65)));
    }

    [Fact]
    public void Walk_String50Megabytes_IsReadInPlace()
    {
        byte[] json = new byte[50_000_000];
        json.AsSpan().Fill((byte)'x');
        json[0] = json[^1] = (byte)'"';
        var kit = new JsonKit();
        int slot = kit.Capture(CaptureMode.Scalar);
        kit.Walk("1");
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(DecodeOutcome.Decoded, kit.Walk(json));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1000);
        Assert.Equal(json.Length - 2, kit.Frame.Slots[slot].Aux);
    }

    [Fact]
    public void Walk_ManyProperties_AreToldApartInLinearTime()
    {
        var text = new StringBuilder("{");
        for (int i = 0; i < 100_000; i++) { text.Append("\"k").Append(i).Append("\":{\"x\":").Append(i).Append("},"); }
        string open = text.ToString();
        var kit = new JsonKit();
        long start = Stopwatch.GetTimestamp();
        Assert.Equal(DecodeOutcome.Decoded, kit.Walk(open + "\"last\":0}"));
        Assert.Equal(DecodeOutcome.DuplicateKey, kit.Walk(open + "\"k7\":0}"));
        Assert.Equal(DecodeOutcome.DuplicateKey, kit.Walk(open + "\"\\u006b99999\":0}"));
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(30));
    }

    [Fact]
    public void Walk_DuplicateAtAnyDistance_IsFound()
    {
        for (int count = 1; count < 140; count++)
        {
            string names = string.Join(",", Enumerable.Range(0, count).Select(i => $"\"n{i}\":[{{\"q\":1,\"n{i}\":2}}]"));
            Assert.Equal(DecodeOutcome.Decoded, new JsonKit().Walk($"{{{names}}}"));
            Assert.Equal(DecodeOutcome.DuplicateKey, new JsonKit().Walk($"{{{names},\"n{count / 2}\":0}}"));
        }
    }

    [Fact]
    public void Walk_MoreSlotsOrSitesThanAllowed_IsTooLarge()
    {
        var rows = new JsonKit { Limits = new WalkLimits { SlotsMax = 10 } };
        CaptureRow row = JsonKit.Rows(rows.Root, "a");
        JsonKit.Capture(row, CaptureMode.Scalar);
        Assert.Equal(DecodeOutcome.Decoded, rows.Walk("{\"a\":[1,2,3,4,5,6,7,8,9]}"));
        Assert.Equal(DecodeOutcome.TooLarge, rows.Walk("{\"a\":[1,2,3,4,5,6,7,8,9,10]}"));

        JsonKit sites = new JsonKit { Limits = new WalkLimits { SitesMax = 3 } }.Select("[*]");
        Assert.Equal(DecodeOutcome.Decoded, sites.Walk("[1,2,3]"));
        Assert.Equal(DecodeOutcome.TooLarge, sites.Walk("[1,2,3,4]"));
    }

    [Fact]
    public void Decode_BadText_GivesNoValue()
    {
        Assert.Equal(DecodeOutcome.DuplicateKey, SchemalessJson.Instance.Decode("{\"a\":1,\"a\":2}"u8, out object? plain));
        Assert.Null(plain);
    }
}
