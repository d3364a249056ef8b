using System.Text;
using PolicyStreams.Rules.Yaml;
using PolicyStreams.Tests;

namespace PolicyStreams.Rules.Tests.Lint;

public class PolicyFormatterTests
{
    private static string Format(string text)
    {
        var diagnostics = new List<Diagnostic>();
        string? formatted = PolicyFormatter.Format(new PolicyFile("p", text), diagnostics);
        Assert.True(formatted is not null, string.Join("\n", diagnostics));
        return formatted;
    }

    [Fact]
    public void Format_OrdersKeysAndKeepsComments() => Assert.Equal(
        """
        # About this policy.
        apiVersion: policystreams/v1
        kind: Policy    # the kind
        metadata: { name: payments }

        bindings:
          # The binding.
          - name: payments
            format: avro

        rules:
          - id: a  # why a
            when: value.x == "y" && value.z
            deny: { reason: "no: never" }

          # About b.
          - id: b
            mask: { field: card, constant: "***" }
            mode: shadow
        # The end.

        """.ReplaceLineEndings("\n").TrimEnd('\n') + "\n",
        Format("""
            # About this policy.
            kind: 'Policy'  # the kind
            apiVersion: policystreams/v1
            rules:
            - deny:
                reason: "no: never"
              id: a  # why a
              when: 'value.x == "y" && value.z'

            # About b.
            - {mode: shadow, id: b, mask: {constant: "***", field: "card"}}
            metadata: {name: payments}
            bindings:
            # The binding.
            - format: avro
              name: payments
            # The end.
            """));

    [Theory]
    [InlineData("#    format: avro\n? ")]
    [InlineData("# a\n: 1\n")]
    [InlineData("a: { : 1 } # b\n")]
    public void Format_AKeyThatIsNotThere_KeepsItsPlace(string text)
    {
        string once = PolicyFormatter.Format(new PolicyFile("p", text), [])!;

        Assert.Contains("\"\":", once, StringComparison.Ordinal);
        Assert.Equal(once, PolicyFormatter.Format(new PolicyFile("p", once), []));
    }

    [Fact]
    public void Format_Twice_IsFormatOnce_AndMeaningStays()
    {
        string text = Decisions.ReferenceJobTests.Policy, once = Format(text);
        Assert.Equal(once, Format(once));
        Assert.Equal(Bench.Of(text).Policy.Digest, Bench.Of(once).Policy.Digest);
    }

    // Two comments of one line would become one: the author moves one of them.
    [Theory]
    [InlineData("metadata: { name: a }\nowner: # one\n  x # two\n")]
    [InlineData("rules:\n  - [a, # one\n     b] # two\n")]
    public void Format_CommentsInTheMiddleOfAValue_AreRefused(string text)
    {
        var said = new List<Diagnostic>();
        Assert.Null(PolicyFormatter.Format(new PolicyFile("p", text), said));
        Assert.Equal("p:1:1: PS0004 error: the file cannot be formatted without loss, and is left as it is\n  help: move comments out of the middle of values", Assert.Single(said).ToString());
    }

    // A comment behind a key whose value begins in a later line speaks of the key: it is not moved away from it.
    [Theory]
    [InlineData("description: # one\n  x\nowner: me\n", "description: x # one\nowner: me\n")]
    [InlineData("limits: # one\n\n  record_bytes: 5 # two\nmode: shadow\n", "mode: shadow\nlimits: # one\n  record_bytes: 5 # two\n")]
    [InlineData("limits: { # one\n  record_bytes: 5 } # two\n", "limits: # one\n  record_bytes: 5 # two\n")]
    [InlineData("bindings: # one\n# above\n- a # two\n", "bindings: # one\n  # above\n  - a # two\n")]
    public void Format_CommentBehindAKey_StaysThere(string text, string expected)
    {
        string once = Format(text);
        Assert.Equal(expected, System.Text.RegularExpressions.Regex.Replace(once, " +#", match => match.Index > 0 && once[match.Index - 1] != '\n' ? " #" : match.Value));
        Assert.Equal(once, Format(once));
    }

    // Texts that lines, quotes, and other readers would change keep what they say.
    [Theory]
    [InlineData("\" a\\nb\"")]
    [InlineData("\"\\n\"")]
    [InlineData("\"a\\n\\n\"")]
    [InlineData("\"a\\tb\\x07c\"")]
    [InlineData("\"a\\u2028b\\u0085c\\x7f\"")]
    [InlineData("'it''s # no: comment'")]
    [InlineData("\"back\\\\slash \\\" both '\"")]
    [InlineData("|\n    two\n    lines\n")]
    [InlineData(">-\n    folded\n    lines\n")]
    public void Format_AnyText_IsKept(string value)
    {
        string text = $"metadata:\n  description: {value}\n", once = Format(text);
        Assert.Equal(Read(text), Read(once));
        Assert.Equal(once, Format(once));

        static string Read(string text)
        {
            var bag = new DiagnosticBag("p");
            return YamlReader.Read(text, bag)!.Find("metadata")!.Find("description")!.Text;
        }
    }

    // A comment that a line of the source shares with several keys is printed behind the first of them, and takes no further lines for the others.
    [Fact]
    public void Format_CommentInsideAValue_IsMovedOnce()
    {
        string once = Format("rules:\n  - { id: a, hold: { approvers: [x], expires: #\n      4h } }\n");

        Assert.EndsWith("    hold: { approvers: [x], expires: 4h }\n", once, StringComparison.Ordinal);
        Assert.Equal(once, Format(once));
    }

    [Fact]
    public void Format_CommentsAndLineBreaksAnywhere_IsFormatOnce()
    {
        int seed = Fuzz.Seed(), formatted = 0;
        TimeSpan time = Fuzz.Time(2);
        var random = new Random(seed);
        string[] parts = [" #", " # c\n", " #\n        ", "\n", "\n\n", "\n      # d\n      ", "\n# e\n", "  ", " # a\n  # b\n"];
        string[] texts = [Decisions.ReferenceJobTests.Policy, Format(Decisions.ReferenceJobTests.Policy), "metadata: { name: a }\nlimits:\n  record_bytes: 5\nrules:\n- id: a\n  mask: { field: [a, b], keep_last: 4 }\n- { when: x, id: b, tag: { y: z } }\n"];
        var clock = System.Diagnostics.Stopwatch.StartNew();
        for (int round = 0; clock.Elapsed < time; round++)
        {
            string text = texts[round % texts.Length];
            for (int edits = random.Next(1, 5); edits > 0; edits--) { text = text.Insert(random.Next(text.Length + 1), parts[random.Next(parts.Length)]); }
            if (PolicyFormatter.Format(new PolicyFile("p", text), []) is not { } once) { continue; }

            formatted++;
            string? twice = PolicyFormatter.Format(new PolicyFile("p", once), []);
            Assert.True(once == twice, $"seed {seed}, round {round}:\n{text}\n--- once\n{once}\n--- twice\n{twice}");
        }

        Assert.True(formatted > 20, $"seed {seed}: only {formatted} texts could be formatted");
    }

    [Fact]
    public void Format_AnyMutation_KeepsMeaningOrRefuses()
    {
        const int Seed = 99;
        var random = new Random(Seed);
        const string Alphabet = "{}[]:,-'\"# \nab0";
        for (int round = 0; round < 300; round++)
        {
            var mutated = new StringBuilder(Bench.Yaml("- { id: a, when: 'value.amount > 1.0', deny: { reason: x } }   # note\n# more\n- id: b\n  mask: { tag: PAN, keep_last: 4 }"));
            for (int edits = random.Next(1, 4); edits > 0; edits--)
            {
                int at = random.Next(mutated.Length);
                if (random.Next(2) == 0) { mutated.Insert(at, Alphabet[random.Next(Alphabet.Length)]); }
                else { mutated.Remove(at, 1); }
            }

            string text = mutated.ToString();
            string? once = PolicyFormatter.Format(new PolicyFile("p", text), new List<Diagnostic>());
            if (once is null) { continue; }
            Assert.True(once == PolicyFormatter.Format(new PolicyFile("p", once), new List<Diagnostic>()), $"seed {Seed}, round {round}:\n{text}");
        }
    }
}
