namespace PolicyStreams.Schemas.Tests;

public class SubjectNamesTests
{
    [Theory]
    [InlineData(SubjectNaming.Topic, false, "raw.payments-value")]
    [InlineData(SubjectNaming.Topic, true, "raw.payments-key")]
    [InlineData(SubjectNaming.Record, false, "shop.Payment")]
    [InlineData(SubjectNaming.TopicRecord, true, "raw.payments-shop.Payment")]
    public void Of_Naming_IsConfluents(SubjectNaming naming, bool key, string expected) =>
        Assert.Equal(expected, SubjectNames.Of(naming, "raw.payments", key, "shop.Payment"));
}
