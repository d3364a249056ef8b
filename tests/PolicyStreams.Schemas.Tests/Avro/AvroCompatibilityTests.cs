using PolicyStreams.Schemas.Avro;

namespace PolicyStreams.Schemas.Tests.Avro;

public sealed class AvroCompatibilityTests
{
    private const string R = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[";

    [Theory]
    [InlineData("\"long\"", "\"int\"", true)]
    [InlineData("\"float\"", "\"long\"", true)]
    [InlineData("\"double\"", "\"float\"", true)]
    [InlineData("\"int\"", "\"long\"", false)]
    [InlineData("\"float\"", "\"double\"", false)]
    [InlineData("\"bytes\"", "\"string\"", true)]
    [InlineData("\"string\"", "\"bytes\"", true)]
    [InlineData("\"string\"", "\"int\"", false)]
    [InlineData("[\"null\",\"string\"]", "\"string\"", true)]
    [InlineData("\"string\"", "[\"null\",\"string\"]", false)]
    [InlineData("\"string\"", "[\"string\"]", true)]
    [InlineData("[\"null\",\"long\"]", "[\"int\",\"null\"]", true)]
    [InlineData("{\"type\":\"array\",\"items\":\"long\"}", "{\"type\":\"array\",\"items\":\"int\"}", true)]
    [InlineData("{\"type\":\"map\",\"values\":\"int\"}", "{\"type\":\"map\",\"values\":\"long\"}", false)]
    [InlineData("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"B\"]}", true)]
    [InlineData("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", false)]
    [InlineData("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"A\"}", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", true)]
    [InlineData("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "{\"type\":\"enum\",\"name\":\"F\",\"symbols\":[\"A\"]}", false)]
    [InlineData("{\"type\":\"enum\",\"name\":\"E\",\"aliases\":[\"F\"],\"symbols\":[\"A\"]}", "{\"type\":\"enum\",\"name\":\"F\",\"symbols\":[\"A\"]}", true)]
    [InlineData("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}", false)]
    [InlineData("{\"type\":\"fixed\",\"name\":\"a.F\",\"size\":2}", "{\"type\":\"fixed\",\"name\":\"b.F\",\"size\":2}", true)]
    [InlineData(R + "{\"name\":\"a\",\"type\":\"int\"}]}", R + "{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\",\"type\":\"int\"}]}", true)]
    [InlineData(R + "{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\",\"type\":\"int\"}]}", R + "{\"name\":\"a\",\"type\":\"int\"}]}", false)]
    [InlineData(R + "{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\",\"type\":\"int\",\"default\":0}]}", R + "{\"name\":\"a\",\"type\":\"int\"}]}", true)]
    [InlineData(R + "{\"name\":\"b\",\"aliases\":[\"a\"],\"type\":\"int\"}]}", R + "{\"name\":\"a\",\"type\":\"int\"}]}", true)]
    [InlineData(R + "{\"name\":\"n\",\"type\":[\"null\",\"R\"]}]}", R + "{\"name\":\"n\",\"type\":[\"null\",\"R\"]}]}", true)]
    [InlineData(R + "{\"name\":\"n\",\"type\":[\"null\",\"R\"]},{\"name\":\"v\",\"type\":\"int\"}]}", R + "{\"name\":\"n\",\"type\":[\"null\",\"R\"]},{\"name\":\"v\",\"type\":\"long\"}]}", false)]
    public void Check_ReaderAndWriter_FollowsSchemaResolution(string reader, string writer, bool reads)
    {
        IReadOnlyList<AvroIncompatibility> problems = AvroCompatibility.Check(AvroSchema.Parse(reader), AvroSchema.Parse(writer));

        Assert.Equal(reads, problems.Count == 0);
    }

    [Fact]
    public void Check_SeveralProblems_NamesEachByItsPath()
    {
        AvroSchema reader = AvroFixture.Record("""
            {"name":"new","type":"int"},{"name":"in","type":{"type":"record","name":"I","fields":[{"name":"l","type":{"type":"array","items":"int"}}]}},{"name":"u","type":["null","int"]}
            """);
        AvroSchema writer = AvroFixture.Record("""
            {"name":"in","type":{"type":"record","name":"I","fields":[{"name":"l","type":{"type":"array","items":"string"}}]}},{"name":"u","type":["null","string"]}
            """);

        Assert.Equal(["in.l[*]", "new", "u"], AvroCompatibility.Check(reader, writer).Select(problem => problem.Path).Order());
    }
}
