namespace PolicyStreams.Schemas;

/// <summary>How producers' serializers name subjects: Confluent's TopicNameStrategy (their default), RecordNameStrategy, and TopicRecordNameStrategy.</summary>
public enum SubjectNaming : byte
{
    Topic,
    Record,
    TopicRecord,
}

/// <summary>Names of subjects.</summary>
public static class SubjectNames
{
    /// <summary>The subject of a topic's values or keys.</summary>
    /// <param name="recordName">Full name of the record type, as Avro and Protobuf spell it; not read for <see cref="SubjectNaming.Topic"/>.</param>
    public static string Of(SubjectNaming naming, string topic, bool key, string recordName) => naming switch
    {
        SubjectNaming.Topic => topic + (key ? "-key" : "-value"),
        SubjectNaming.Record => recordName,
        SubjectNaming.TopicRecord => $"{topic}-{recordName}",
        _ => throw new ArgumentOutOfRangeException(nameof(naming), naming, "Not a naming of subjects."),
    };
}
