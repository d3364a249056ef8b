namespace PolicyStreams.Schemas.Tests;

public class FrameReaderTests
{
    private static readonly Guid _guid = Guid.Parse("01020304-0506-0708-090a-0b0c0d0e0f10");
    private static readonly byte[] _guidFrame = [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
    private static readonly byte[] _idFrame = [0, 0, 0, 1, 2];

    [Fact]
    public void Read_IdPrefix_GivesBigEndianIdAndPayload()
    {
        DecodeOutcome outcome = FrameReader.Read(Framing.Confluent, [.. _idFrame, 9], default, 0, out SchemaFrame frame);
        Assert.Equal(DecodeOutcome.Decoded, outcome);
        Assert.Equal(new SchemaFrame(SchemaRef.ById(258), 5), frame);
    }

    [Fact]
    public void Read_GuidPrefix_GivesGuidInNetworkOrder()
    {
        DecodeOutcome outcome = FrameReader.Read(Framing.Confluent, [.. _guidFrame, 9], default, 0, out SchemaFrame frame);
        Assert.Equal(DecodeOutcome.Decoded, outcome);
        Assert.Equal(new SchemaFrame(SchemaRef.ByGuid(_guid), 17), frame);
    }

    [Theory]
    [InlineData("", DecodeOutcome.EmptyValue)]
    [InlineData("00", DecodeOutcome.MissingId)]
    [InlineData("01", DecodeOutcome.MissingId)]
    [InlineData("0000", DecodeOutcome.TruncatedId)]
    [InlineData("00000000", DecodeOutcome.TruncatedId)]
    [InlineData("0000000000", DecodeOutcome.NotFramed)]
    [InlineData("00ffffffff01", DecodeOutcome.NotFramed)]
    [InlineData("01020304050607", DecodeOutcome.TruncatedId)]
    [InlineData("02", DecodeOutcome.NotFramed)]
    [InlineData("02000000010101", DecodeOutcome.NotFramed)]
    [InlineData("7b7d", DecodeOutcome.NotFramed)]
    public void Read_NoFrame_SaysWhy(string hex, DecodeOutcome expected)
    {
        Assert.Equal(expected, FrameReader.Read(Framing.Confluent, Convert.FromHexString(hex), default, 0, out SchemaFrame frame));
        Assert.Equal(default, frame);
    }

    [Fact]
    public void Read_HeaderOnly_WholeValueIsPayload()
    {
        Assert.Equal(DecodeOutcome.Decoded, FrameReader.Read(Framing.Confluent, "{}"u8, _guidFrame, 1, out SchemaFrame frame));
        Assert.Equal(new SchemaFrame(SchemaRef.ByGuid(_guid), 0), frame);
        Assert.Equal(DecodeOutcome.Decoded, FrameReader.Read(Framing.Confluent, "{}"u8, _idFrame, 1, out frame));
        Assert.Equal(new SchemaFrame(SchemaRef.ById(258), 0), frame);
    }

    [Fact]
    public void Read_HeaderAndPrefixAgree_PrefixIsTakenOff()
    {
        Assert.Equal(DecodeOutcome.Decoded, FrameReader.Read(Framing.Confluent, [.. _guidFrame, 9], _guidFrame, 1, out SchemaFrame frame));
        Assert.Equal(17, frame.PayloadStart);
        Assert.Equal(DecodeOutcome.Decoded, FrameReader.Read(Framing.Confluent, [.. _idFrame, 9], _idFrame, 1, out frame));
        Assert.Equal(5, frame.PayloadStart);
    }

    [Fact]
    public void Read_HeaderAndPrefixDiffer_IsConflict()
    {
        byte[] otherGuid = [.. _guidFrame];
        otherGuid[16]++;
        Assert.Equal(DecodeOutcome.FrameConflict, FrameReader.Read(Framing.Confluent, [.. otherGuid, 9], _guidFrame, 1, out _));
        Assert.Equal(DecodeOutcome.FrameConflict, FrameReader.Read(Framing.Confluent, [0, 0, 0, 1, 3, 9], _idFrame, 1, out _));
    }

    [Fact]
    public void Read_IdPrefixUnderGuidHeader_IsSettledByWhatIsKnown()
    {
        byte[] value = [.. _idFrame, 9];
        Assert.Equal(DecodeOutcome.FrameConflict, FrameReader.Read(Framing.Confluent, value, _guidFrame, 1, out _));
        Assert.Equal(DecodeOutcome.FrameConflict, FrameReader.Read(Framing.Confluent, value, _guidFrame, 1, out _, new Known(258, Guid.NewGuid())));
        Assert.Equal(DecodeOutcome.FrameConflict, FrameReader.Read(Framing.Confluent, value, _guidFrame, 1, out _, new Known(258, null)));
        Assert.Equal(DecodeOutcome.Decoded, FrameReader.Read(Framing.Confluent, value, _guidFrame, 1, out SchemaFrame frame, new Known(258, _guid)));
        Assert.Equal(5, frame.PayloadStart);

        // An id that nobody has: the payload happens to begin with a zero byte.
        Assert.Equal(DecodeOutcome.Decoded, FrameReader.Read(Framing.Confluent, value, _guidFrame, 1, out frame, new Known(7, _guid)));
        Assert.Equal(new SchemaFrame(SchemaRef.ByGuid(_guid), 0), frame);
    }

    [Fact]
    public void Read_IdAndGuid_WhereNobodyWasAskedAboutTheId_IsUnsettled()
    {
        var nobodyAsked = new Known(7, _guid, SchemaIdStanding.Unknown);
        foreach ((byte[] front, byte[] header) in (IReadOnlyList<(byte[], byte[])>)[(_idFrame, _guidFrame), (_guidFrame, _idFrame)])
        {
            Assert.Equal(DecodeOutcome.Decoded, FrameReader.Read(Framing.Confluent, [.. front, 9], header, 1, out SchemaFrame frame, nobodyAsked));
            Assert.Equal(new SchemaFrame(SchemaRef.ById(258), 0) { Unsettled = true }, frame);
        }
    }

    [Fact]
    public void Read_GuidPrefixUnderIdHeader_IsSettledByWhatIsKnown()
    {
        byte[] value = [.. _guidFrame, 9];
        Assert.Equal(DecodeOutcome.FrameConflict, FrameReader.Read(Framing.Confluent, value, _idFrame, 1, out _));
        Assert.Equal(DecodeOutcome.FrameConflict, FrameReader.Read(Framing.Confluent, value, _idFrame, 1, out _, new Known(7, _guid)));
        Assert.Equal(DecodeOutcome.FrameConflict, FrameReader.Read(Framing.Confluent, value, _idFrame, 1, out _, new Known(258, null)));
        Assert.Equal(DecodeOutcome.Decoded, FrameReader.Read(Framing.Confluent, value, _idFrame, 1, out SchemaFrame frame, new Known(258, _guid)));
        Assert.Equal(17, frame.PayloadStart);
    }

    [Fact]
    public void Read_HeaderTwice_IsConflict() =>
        Assert.Equal(DecodeOutcome.FrameConflict, FrameReader.Read(Framing.Confluent, "{}"u8, _guidFrame, 2, out _));

    [Theory]
    [InlineData("")]
    [InlineData("01")]
    [InlineData("0000000000")]
    [InlineData("000000010203")]
    [InlineData("0201020304")]
    [InlineData("0101020304050607080910111213141516ff")]
    public void Read_HeaderThatIsNoFrame_IsNotFramed(string hex) =>
        Assert.Equal(DecodeOutcome.NotFramed, FrameReader.Read(Framing.Confluent, [.. _idFrame, 9], Convert.FromHexString(hex), 1, out _));

    [Fact]
    public void Read_Apicurio_TakesIdsOfItsOwnWidth()
    {
        Assert.Equal(DecodeOutcome.Decoded, FrameReader.Read(Framing.Apicurio4, [.. _idFrame, 9], default, 0, out SchemaFrame frame));
        Assert.Equal(new SchemaFrame(SchemaRef.ById(258), 5), frame);
        Assert.Equal(DecodeOutcome.Decoded, FrameReader.Read(Framing.Apicurio8, [0, 0, 0, 0, 1, 0, 0, 0, 2, 9], default, 0, out frame));
        Assert.Equal(new SchemaFrame(SchemaRef.ById(0x1_0000_0002), 9), frame);
        Assert.Equal(DecodeOutcome.TruncatedId, FrameReader.Read(Framing.Apicurio8, _idFrame, default, 0, out _));
        Assert.Equal(DecodeOutcome.TruncatedId, FrameReader.Read(Framing.Apicurio4, [0, 1], default, 0, out _));
        Assert.Equal(DecodeOutcome.MissingId, FrameReader.Read(Framing.Apicurio8, [0], default, 0, out _));
        Assert.Equal(DecodeOutcome.EmptyValue, FrameReader.Read(Framing.Apicurio4, [], default, 0, out _));
        Assert.Equal(DecodeOutcome.NotFramed, FrameReader.Read(Framing.Apicurio4, [1], default, 0, out _));
        Assert.Equal(DecodeOutcome.NotFramed, FrameReader.Read(Framing.Apicurio8, [0, 128, 0, 0, 1, 0, 0, 0, 2], default, 0, out _));
        Assert.Equal(DecodeOutcome.NotFramed, FrameReader.Read(Framing.Apicurio4, [.. _guidFrame, 9], default, 0, out _));
    }

    [Fact]
    public void Read_HeaderUnderAnotherFraming_IsConflict()
    {
        Assert.Equal(DecodeOutcome.FrameConflict, FrameReader.Read(Framing.Apicurio4, [.. _idFrame, 9], _guidFrame, 1, out _));
        Assert.Equal(DecodeOutcome.FrameConflict, FrameReader.Read(Framing.None, "{}"u8, _guidFrame, 1, out _));
    }

    [Fact]
    public void Read_None_IsPayloadFromTheStart()
    {
        Assert.Equal(DecodeOutcome.Decoded, FrameReader.Read(Framing.None, [], default, 0, out SchemaFrame frame));
        Assert.Equal(new SchemaFrame(SchemaRef.None, 0), frame);
    }

    /// <summary>Knows one id.</summary>
    private sealed class Known(int id, Guid? guid, SchemaIdStanding others = SchemaIdStanding.Absent) : IFrameRivals
    {
        public SchemaIdStanding Standing(int asked, out Guid? known)
        {
            known = asked == id ? guid : null;
            return asked == id ? SchemaIdStanding.Present : others;
        }
    }
}
