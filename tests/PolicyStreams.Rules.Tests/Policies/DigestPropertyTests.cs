using System.Globalization;
using System.Text;
using PolicyStreams.Rules.Yaml;
using PolicyStreams.Tests;

namespace PolicyStreams.Rules.Tests.Policies;

/// <summary>What changes a policy's canonical form, and so its digest, and what does not: every scalar and every key of policies that use every setting.</summary>
public class DigestPropertyTests
{
    internal const string Document = """
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: payments, owner: risk-platform, description: what leaves }
        mode: enforce
        bindings:
          - name: payments
            description: the payments
            format: avro
            subject: raw.payments-value
            framing: apicurio4
            schema_ids: content
            key_format: string
            identity: { topic: { id: checkout, groups: [payments-producers] } }
            headers: [trace, tenant]
            stamp: none
            tombstones: { hold: { approvers: [ops], quorum: 2, expires: 2h, on_expiry: deny, scope: key, own_group_may_approve: true, reason: gone } }
            topics: { ingress: in.p, governed: out.p, rejected: rej.p, held: held.p, state: state.p, approvals: app.p, decisions: dec, routes: [eu.p, us.p, spare.p] }
            partitions: 6
            seal: seal-key
          - { name: second, format: json, headers: drop, tombstones: allow, identity: { oidc: { issuer: "https://id.example", audience: kafka, nested: { a: [1, 2.5, true] } } } }
          - { name: third, format: avro, schema: other.avsc, key_format: long, identity: { jws: { header: x-sig } } }
        limits: { record_bytes: 65536, headers: 32, cost: 5000000 }
        on_error: { hold: { approvers: [ops, risk], expires: 1h } }
        on_schema_mismatch: { hold: { approvers: [data-platform], expires: 72h } }
        rules:
          - { id: sanctioned, description: embargo, when: "value.country in ['KP', 'IR'] && value.amount > 1.5", deny: { reason: country is under embargo }, mode: shadow }
          - { id: large, bindings: [payments, second], when: value.amount > 10000.0, hold: { approvers: [risk, fraud], quorum: 2, expires: 4h, on_expiry: allow, scope: key, own_group_may_approve: true, reason: large payment } }
          - { id: card, mask: { tag: PAN, keep_last: 4 } }
          - { id: first, mask: { field: card_number, keep_first: 6 } }
          - { id: email, mask: { field: customer.email, hmac: customer-key } }
          - { id: name, mask: { field: 'items[*].name', encrypt: other-key } }
          - { id: address, mask: { field: 'attributes["a b"]', email: { keep_first: 1, keep_domain: false } } }
          - { id: note, mask: { field: note, pattern: { match: "[0-9]+", replace: "#" } } }
          - { id: amount, mask: { field: amount, bucket: 50 } }
          - { id: born, mask: { field: born, date: year } }
          - { id: header, mask: { field: 'headers["x"]', constant: "***" } }
          - { id: key, mask: { field: key, redact: true } }
          - { id: account, mask: { field: account, token: { key: token-key, tweak: accounts } } }
          - { id: phone, mask: { field: phone, token: token-key } }
          - { id: found, mask: { detect: [card, email], in: comment } }
          - { id: hidden, mask: { detect: [phone], in: { tag: TEXT }, token: { key: token-key, tweak: x } } }
          - { id: gone, bindings: [second], mask: { field: secret.value, remove: true } }
          - { id: eu, bindings: [payments], when: value.country == "DE", route: { to: eu.p } }
          - { id: us, bindings: [payments], when: value.country == "US", route: { to: us.p } }
          - { id: mobile, when: value.channel == "APP", tag: { source: mobile, region: eu } }
        """;

    private static readonly string[] Words =
    [
        "avro", "json", "confluent", "apicurio4", "apicurio8", "none", "global", "content", "bytes", "string", "long", "keep", "drop", "decision", "deny", "allow", "hold", "record", "key", "enforce", "shadow", "year", "month", "day", "hour", "true",
        "false", "payments", "second", "eu.p", "us.p", "out.p", "ssn",
    ];

    // What no decision depends on: who owns the policy, what it says of itself, how many partitions a topic is made with, and what lint holds it to. An empty method value is the method.
    private static readonly string[] Neutral = ["metadata.owner", "metadata.description", "bindings.description", "bindings.partitions", "limits.cost", "rules.description", "rules.mask.redact", "rules.mask.remove"];

    private static byte[]? Canonical(string text) => PolicySet.Load([new PolicyFile("p", text)]).Set is { } set ? CanonicalForm.Write(set.Policies[0]) : null;

    private static YamlNode Parse(string text) => YamlReader.Read(text, new DiagnosticBag("p"))!;

    [Fact]
    public void Canonical_EveryScalarChanged_IsAnother()
    {
        byte[] original = Canonical(Document)!;
        Assert.NotNull(original);
        int changed = 0;
        var paths = new SortedSet<string>(StringComparer.Ordinal);
        var reached = new HashSet<string>(StringComparer.Ordinal);
        foreach ((string path, YamlNode node) in Leaves(Parse(Document), ""))
        {
            paths.Add(path);
            foreach (string other in Others(node))
            {
                string text = Edit(Document, node, other);
                if (Canonical(text) is not { } canonical) { continue; }
                reached.Add(path);
                Assert.True(Neutral.Contains(path) == canonical.AsSpan().SequenceEqual(original), $"{path}: {node.Text} → {other}");
                changed++;
            }
        }

        // Nothing else may stand there at all.
        Assert.Equal(["apiVersion", "kind"], paths.Except(reached).Where(path => path is not ("rules.mask.redact" or "rules.mask.remove")));
        Assert.True(changed > 150, $"{changed} changes");
    }

    [Fact]
    public void Canonical_EveryKeyLeftOut_IsAnotherUnlessItSaysTheDefault()
    {
        byte[] original = Canonical(Document)!;
        var same = new SortedSet<string>(StringComparer.Ordinal);
        int changed = 0;
        YamlNode root = Parse(Document);
        foreach ((string path, int[] way) in Entries(root, "", []))
        {
            string text = Emit(Without(root, way), new Random(0), plain: true);
            if (Canonical(text) is not { } canonical) { continue; }
            if (canonical.AsSpan().SequenceEqual(original)) { same.Add(path); }
            else { changed++; }
        }

        Assert.Equal(
            ((string[])["bindings.description", "bindings.partitions", "bindings.tombstones.hold.on_expiry", "limits.cost", "metadata.description", "metadata.owner", "mode", "rules.description"]).Order(StringComparer.Ordinal), same);
        Assert.True(changed > 50, $"{changed} changes");
    }

    [Fact]
    public void Canonical_AnotherSpellingOfTheSame_IsTheSame()
    {
        int seed = Fuzz.Seed();
        var random = new Random(seed);
        byte[] original = Canonical(Document)!;
        YamlNode root = Parse(Document);
        for (int round = 0; round < 60; round++)
        {
            string text = Emit(root, random, plain: false);
            byte[]? canonical = Canonical(text);
            Assert.True(canonical is not null && canonical.AsSpan().SequenceEqual(original), $"seed {seed}, round {round}:\n{text}\n{string.Join("\n", PolicySet.Load([new PolicyFile("p", text)]).Diagnostics)}");
            string? formatted = PolicyFormatter.Format(new PolicyFile("p", text), new List<Diagnostic>());
            Assert.True(formatted is not null && Canonical(formatted)!.AsSpan().SequenceEqual(original), $"seed {seed}, round {round}, formatted:\n{formatted}");
            Assert.True(Comments(text) == Comments(formatted), $"seed {seed}, round {round}: {Comments(text)} comments, formatted {Comments(formatted)}:\n{text}\n{formatted}");
        }

        static (int OnTheirOwn, int Behind) Comments(string text) => (text.Split("# a comment: { not: [yaml\n").Length - 1, text.Split("# why\n").Length - 1);
    }

    private static IEnumerable<(string Path, YamlNode Node)> Leaves(YamlNode node, string path) => node.Kind switch
    {
        YamlKind.Scalar => [(path, node)],
        YamlKind.Sequence => node.Items.SelectMany(item => Leaves(item, path)),
        _ => node.Entries.SelectMany(entry => Leaves(entry.Value, path.Length == 0 ? entry.Key.Text : $"{path}.{entry.Key.Text}")),
    };

    private static IEnumerable<string> Others(YamlNode node)
    {
        string text = node.Text;
        if (node.Style != YamlStyle.Plain)
        {
            yield return text + "x";
            yield return text.Replace('1', '2');
            yield return text.Replace("amount > 1.5", "amount > 2.5", StringComparison.Ordinal);
        }
        else if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
        {
            yield return (number + 1).ToString(CultureInfo.InvariantCulture);
        }
        else
        {
            yield return text + "x";
            yield return text.Replace("h", "m", StringComparison.Ordinal);
            yield return text.Replace(" > ", " >= ", StringComparison.Ordinal).Replace(" == ", " != ", StringComparison.Ordinal);
            foreach (string word in Words) { yield return word; }
        }
    }

    private static string Edit(string text, YamlNode node, string other)
    {
        if (other == node.Text) { return "unchanged"; }
        string[] lines = text.Split('\n');
        string line = lines[node.Line - 1];
        int quotes = node.Style == YamlStyle.Plain ? 0 : 1, at = node.Column - 1 + quotes;
        lines[node.Line - 1] = line[..at] + other + line[(at + node.Text.Length)..];
        return string.Join('\n', lines);
    }

    private static IEnumerable<(string Path, int[] Way)> Entries(YamlNode node, string path, int[] way)
    {
        for (int i = 0; i < node.Items.Count; i++)
        {
            foreach ((string, int[]) below in Entries(node.Items[i], path, [.. way, i])) { yield return below; }
        }

        for (int i = 0; i < node.Entries.Count; i++)
        {
            string name = path.Length == 0 ? node.Entries[i].Key.Text : $"{path}.{node.Entries[i].Key.Text}";
            yield return (name, [.. way, i]);
            foreach ((string, int[]) below in Entries(node.Entries[i].Value, name, [.. way, i])) { yield return below; }
        }
    }

    private static YamlNode Without(YamlNode node, ReadOnlySpan<int> way)
    {
        var items = node.Items.ToList();
        var entries = node.Entries.ToList();
        int at = way[0];
        if (node.Kind == YamlKind.Sequence) { items[at] = Without(items[at], way[1..]); }
        else if (way.Length == 1) { entries.RemoveAt(at); }
        else { entries[at] = new YamlEntry(entries[at].Key, Without(entries[at].Value, way[1..])); }
        return new YamlNode { Kind = node.Kind, Line = 1, Column = 1, Items = items, Entries = entries };
    }

    /// <summary>The same document spelled anew: keys shuffled, flow or block, quotes where they change nothing, comments, blanks, needless parentheses.</summary>
    private static string Emit(YamlNode root, Random random, bool plain)
    {
        var text = new StringBuilder();
        Block(root, 0);
        return text.ToString();

        void Block(YamlNode node, int indent)
        {
            foreach (YamlEntry entry in Shuffled(node))
            {
                if (!plain && random.Next(4) == 0) { text.Append(' ', indent).Append("# a comment: { not: [yaml\n"); }
                text.Append(' ', indent).Append(Key(entry.Key.Text)).Append(':');
                Value(entry.Key.Text, entry.Value, indent);
            }
        }

        void Value(string key, YamlNode value, int indent)
        {
            switch (value.Kind)
            {
                case YamlKind.Mapping when value.Entries.Count > 0 && (plain || random.Next(2) == 0):
                    text.Append('\n');
                    Block(value, indent + 2);
                    break;
                case YamlKind.Sequence when value.Items.Count > 0 && value.Items[0].Kind == YamlKind.Mapping && (plain || random.Next(2) == 0):
                    text.Append('\n');
                    foreach (YamlNode item in value.Items)
                    {
                        text.Append(' ', indent).Append("- ").Append(Flow("", item)).Append('\n');
                    }

                    break;
                default:
                    text.Append(' ').Append(Flow(key, value)).Append(!plain && random.Next(4) == 0 ? "   # why\n" : "\n");
                    break;
            }
        }

        IEnumerable<YamlEntry> Shuffled(YamlNode node) => plain ? node.Entries : node.Entries.OrderBy(_ => random.Next());

        string Key(string key) => !plain && random.Next(4) == 0 ? $"\"{key}\"" : key;

        string Flow(string key, YamlNode node) => node.Kind switch
        {
            YamlKind.Mapping => $"{{ {string.Join(", ", Shuffled(node).Select(entry => $"{Key(entry.Key.Text)}: {Flow(entry.Key.Text, entry.Value)}"))} }}",
            YamlKind.Sequence => $"[{string.Join(", ", node.Items.Select(item => Flow(key, item)))}]",
            _ => Scalar(key, node),
        };

        string Scalar(string key, YamlNode node)
        {
            string value = node.Text;
            if (key == "when")
            {
                if (!plain && random.Next(2) == 0) { value = $"( {value.Replace(" > ", "  >  ", StringComparison.Ordinal)} )"; }
                return $"'{value.Replace("'", "''", StringComparison.Ordinal)}'";
            }

            if (node.Style == YamlStyle.Plain && (plain || CoreScalar.TypeOf(node) != CoreType.Text || random.Next(2) == 0)) { return value; }
            return random.Next(2) == 0 ? $"'{value}'" : $"\"{value.Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
        }
    }
}
