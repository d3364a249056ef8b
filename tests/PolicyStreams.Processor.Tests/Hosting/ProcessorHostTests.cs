using Microsoft.Extensions.Logging.Abstractions;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Metrics;

namespace PolicyStreams.Processor.Tests.Hosting;

public sealed class ProcessorHostTests
{
    [Theory]
    [InlineData("kafka.example.com:9092")]
    [InlineData("127.0.0.1:9092,10.0.0.1:9092")]
    [InlineData("127.evil.example.com.:9092,[::1]:9092,broker:9092")]
    public void Check_AtLeastOnceOutsideTheEmbeddedMode_IsRefused(string bootstrap)
    {
        var options = new ProcessorOptions { Bootstrap = bootstrap, Policies = "-", Guarantee = DeliveryGuarantee.EmbeddedAtLeastOnce };
        using ProcessorHost host = Host(options);

        StartException refused = Assert.Throws<StartException>(host.Check);
        Assert.Contains("At-least-once delivery is for the embedded broker", refused.Message, StringComparison.Ordinal);
        Assert.Contains(bootstrap, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("processing.guarantee", "at_least_once")]
    [InlineData("isolation.level", "read_uncommitted")]
    [InlineData("transactional.id", "mine")]
    public void Check_APropertyThatBreaksExactlyOnce_IsRefusedByName(string key, string value)
    {
        var options = new ProcessorOptions { Bootstrap = "127.0.0.1:9092", Policies = "-" };
        options.Kafka[key] = value;
        using ProcessorHost host = Host(options);

        Assert.Contains($"`{key}` cannot be set", Assert.Throws<StartException>(host.Check).Message, StringComparison.Ordinal);
    }

    private static ProcessorHost Host(ProcessorOptions options) => new(options, null, new Health(), new ProcessorMetrics(), TimeProvider.System, NullLogger<ProcessorHost>.Instance);
}
