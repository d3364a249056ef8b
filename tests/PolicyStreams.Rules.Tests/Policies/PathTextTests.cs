using PolicyStreams.Schemas;
using PolicyStreams.Tests;

namespace PolicyStreams.Rules.Tests.Policies;

public class PathTextTests
{
    [Theory]
    [InlineData("customer.email", "customer.email")]
    [InlineData("items[*].sku", "items[*].sku")]
    [InlineData("a['s s'][\"t\"]", "a[\"s s\"][\"t\"]")]
    [InlineData("key", "key")]
    [InlineData("key.id", "key.id")]
    [InlineData("headers[\"x\"]", "headers[\"x\"]")]
    [InlineData("headers['a\"b']", "headers[\"a\\\"b\"]")]
    [InlineData("headers['a\\\\b']", "headers[\"a\\\\b\"]")]
    [InlineData("headers.x", "headers.x")]
    [InlineData("['a.b'].c", "[\"a.b\"].c")]
    public void ToString_OfAPath_IsReadBackAsTheSame(string text, string spelled)
    {
        FieldPath path = Read(text)!;
        Assert.Equal(spelled, path.ToString());
        Assert.Equal(Shape(path), Shape(Read(spelled)!));
    }

    // The digest, tags, and locks speak of a path by its text: it must be read back as the path that it was.
    [Fact]
    public void Parse_RandomText_IsAPathThatIsReadBackOrAFault()
    {
        int seed = Fuzz.Seed();
        var random = new Random(seed);
        string[] parts = ["a", "b-c", "key", "headers", "value", "$", "é", "٣", "𝄞", "\uD800", ".", "..", "[", "]", "[*]", "*", "[\"", "\"]", "['", "']", "\"", "'", "\\", "\\\"", " ", "\n", "\0", "[\"x\"]", "['k']", "[\"a.b\"]", ".c"];
        int paths = 0, faults = 0;
        for (int i = 0; i < 200_000; i++)
        {
            string text = Fuzz.Concat(random, parts, 9);
            FieldPath? path = PathText.Parse(text, out string fault, out int column);
            if (path is null)
            {
                faults++;
                Assert.True(fault.Length > 0 && column >= 1 && column <= text.Length + 1, $"seed {seed}: {text}: {fault} at {column}");
                continue;
            }

            paths++;
            FieldPath? again = Read(path.ToString());

            // A field of the value that is named like a root is spelled like it, and read back in the value; but a header has nothing inside.
            if (path is { Root: PathRoot.Value, Steps.Length: > 2 } && path.Steps.Span[0].Name == "headers" && path.Steps.Span[1].Kind == PathStepKind.MapKey) { continue; }
            if (again is not null && path.Root == PathRoot.Value) { again = BindingCompiler.InValue(again); }
            Assert.True(again is not null && Shape(again) == Shape(path), $"seed {seed}: {text}: {path}");
        }

        Assert.True(paths > 1000 && faults > 1000, $"seed {seed}: {paths} paths, {faults} faults");
    }

    [Fact]
    public void Parse_MoreSteps_IsAFault()
    {
        Assert.NotNull(Read(string.Join('.', Enumerable.Repeat("a", PathText.StepsMax))));
        Assert.Null(Read(string.Join('.', Enumerable.Repeat("a", PathText.StepsMax + 1))));
        Assert.Null(Read(""));
    }

    private static FieldPath? Read(string text) => PathText.Parse(text, out _, out _);

    private static string Shape(FieldPath path) => $"{path.Root}|{path.Header}|{string.Join('|', path.Steps.ToArray().Select(step => $"{step.Kind} {step.Name}"))}";
}
