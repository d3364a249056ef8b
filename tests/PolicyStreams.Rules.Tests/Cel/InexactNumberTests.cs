using System.Text;

namespace PolicyStreams.Rules.Tests.Cel;

/// <summary>Integers that a double cannot hold, in JSON without a schema: whoever reads one is told so, whatever the way it is read in; who does not, is not bothered.</summary>
public class InexactNumberTests
{
    private const string Big = "9007199254740993";

    [Theory]
    [InlineData("value.n > 1.0")]
    [InlineData("value.n == 9007199254740992.0")]
    [InlineData("value.n != 1.0")]
    [InlineData("value.n < 10")]
    [InlineData("9007199254740992 <= value.n")]
    [InlineData("value.n + 1.0 > 0.0")]
    [InlineData("-value.n < 0.0")]
    [InlineData("double(value.n) > 1.0")]
    [InlineData("int(value.n) > 1")]
    [InlineData("string(value.n) != \"\"")]
    [InlineData("value.n in [1.0, 2.0]")]
    [InlineData("value.list.exists(x, x > 1e300)")]
    [InlineData("value.list.all(x, x > 1e300)")]
    [InlineData("value.list[0] > 1.0")]
    [InlineData("value.o.n > 1.0")]
    [InlineData("value[\"n\"] > 1.0")]
    [InlineData("value.o == {\"n\": 1.0}")]
    [InlineData("value.list == [1.0]")]
    [InlineData("1.0 in value.list")]
    [InlineData("value.o == value.p")]
    [InlineData("value.list == value.list")]
    [InlineData("key.n > 1.0")]
    [InlineData("math.greatest(value.n, 1.0) > 0.0")]
    [InlineData("cel.bind(x, value.n, x > 1.0)")]
    [InlineData("(value.n == 1.0 ? true : false)")]
    public void Condition_ThatReadsOne_IsANumberRangeError(string when)
    {
        Bench bench = Bench.Of(Bench.JsonYaml($"- {{ id: r, when: '{when}', tag: {{ a: b }} }}").Replace("key_format: string", "key_format: json", StringComparison.Ordinal));
        bench.Key = Encoding.UTF8.GetBytes($$"""{"n":{{Big}}}""");
        bench.Decide($$$"""{"n":{{{Big}}},"list":[{{{Big}}}],"o":{"n":{{{Big}}}},"p":{"n":{{{Big}}}}}""");
        Assert.Equal([new DecisionError("r", "number-range")], bench.Verdict.Errors);
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
    }

    [Theory]
    [InlineData("value.m > 1.0")]
    [InlineData("has(value.n)")]
    [InlineData("size(value.list) == 1")]
    [InlineData("value.m == 2.0 || value.n > 1.0")]
    [InlineData("value.n != null")]
    public void Condition_ThatDoesNot_IsEvaluated(string when)
    {
        Bench bench = Bench.Of(Bench.JsonYaml($"- {{ id: r, when: '{when}', tag: {{ a: b }} }}"));
        bench.Decide($$"""{"n":{{Big}},"m":2,"list":[{{Big}}]}""");
        Assert.Empty(bench.Verdict.Errors);
        Assert.Equal(["r"], bench.Verdict.Rules);
    }

    [Theory]
    [InlineData("9007199254740992", true)]
    [InlineData("-9007199254740992", true)]
    [InlineData("9007199254740993", false)]
    [InlineData("-9007199254740993", false)]
    [InlineData("9007199254740994", false)]
    [InlineData("18014398509481985", false)]
    [InlineData("9007199254740993.0", false)]
    [InlineData("1e300", true)]
    public void Bound_IsTwoToThe53(string number, bool exact)
    {
        Bench bench = Bench.Of(Bench.JsonYaml("- { id: r, when: value.n != 0.0, tag: { a: b } }"));
        bench.Decide($$"""{"n":{{number}}}""");
        Assert.Equal(exact ? 0 : 1, bench.Verdict.Errors.Count);
    }

    [Fact]
    public void Bucket_OfOne_CannotBeApplied()
    {
        Bench bench = Bench.Of(Bench.JsonYaml("- { id: m, mask: { field: n, bucket: 10 } }"));
        bench.Decide($$"""{"n":{{Big}}}""");
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal([new DecisionError("m", "mask-value")], bench.Verdict.Errors);
    }
}
