using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Cel.Proof;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Tests;

namespace PolicyStreams.Rules.Tests.Cel;

/// <summary>What the prover says can never be is never seen; and what it is for, it finds.</summary>
public sealed class ProverTests
{
    private static readonly ProofFacts s_facts = new(closedEnums: true, new HashSet<string>(), mayFail: false, hasIsPresence: true, principal: null);

    private static Condition Compile(string expression, CaptureRow? plan = null)
    {
        var diagnostics = new List<CelDiagnostic>();
        Condition? condition = new ConditionCompiler(Payments.Type, Payments.Text, plan ?? Payments.Plan()).Compile(expression, diagnostics);
        Assert.True(condition is not null, $"{expression}: {string.Join("; ", diagnostics)}");
        return condition;
    }

    [Theory]
    [InlineData("value.amount > 100.0 && value.amount < 50.0")]
    [InlineData("value.amount > 100 && value.amount <= 100.0")]
    [InlineData("value.amount > 100.0 && !(value.amount > 99.0)")]
    [InlineData("size(value.items) > 1 && size(value.items) < 2")]
    [InlineData("size(value.items) < 0")]
    [InlineData("value.country == 'DE' && value.country == 'FR'")]
    [InlineData("value.country in ['DE', 'FR'] && value.country in ['NL', 'IT']")]
    [InlineData("value.country in ['DE', 'FR'] && value.country != 'DE' && value.country != 'FR'")]
    [InlineData("value.country in []")]
    [InlineData("value.channel == 'FAX'")]
    [InlineData("value.note == null && value.note == 'x'")]
    [InlineData("value.note == null && has(value.note)")]
    [InlineData("value.flag && !value.flag")]
    [InlineData("value.flag == true && value.flag == false")]
    [InlineData("value.country.matches('^D') && !value.country.matches('^D')")]
    [InlineData("value.created_at.getHours() > 23")]
    [InlineData("value.created_at < timestamp('2025-01-01T00:00:00Z') && value.created_at > timestamp('2026-01-01T00:00:00Z')")]
    [InlineData("value.fee > decimal('1.50') && value.fee < decimal('1.5')")]
    [InlineData("value.country < value.merchant && value.merchant < value.country")]
    [InlineData("value.country != value.country")]
    [InlineData("(value.amount > 10.0 || value.flag) && value.amount < 5.0 && !value.flag")]
    [InlineData("(value.flag ? value.amount > 10.0 : value.amount > 20.0) && value.amount < 10.0")]
    [InlineData("partition < 0")]
    [InlineData("false")]
    [InlineData("1 > 2")]
    public void CanHold_NeverTrue_IsProven(string expression) => Assert.False(new Prover(s_facts).CanHold((Compile(expression).Syntax, Claim.True)));

    [Theory]
    [InlineData("value.flag || !value.flag")]
    [InlineData("size(value.items) >= 0")]
    [InlineData("value.country == 'DE' || value.country != 'DE'")]
    [InlineData("value.note == null || value.note != null")]
    [InlineData("value.channel in ['WEB', 'POS', 'APP', 'PHONE']")]
    [InlineData("true")]
    public void CanHold_AlwaysTrue_IsProven(string expression) => Assert.False(new Prover(s_facts).CanHold((Compile(expression).Syntax, Claim.NotTrue)));

    // What looks like it and is not: NaN, null, a failed read.
    [Theory]
    [InlineData("value.amount >= 0.0 || value.amount < 0.0")]
    [InlineData("value.amount == value.amount")]
    [InlineData("value.note == 'x' || value.note != 'x'")]
    [InlineData("value.attributes['k'] == 'x' || value.attributes['k'] != 'x'")]
    [InlineData("value.created_at.getHours() >= 0")]
    [InlineData("value.billing.city == null || value.billing.city != null")]
    [InlineData("key == null || key != null")]
    [InlineData("headers['x'] == 'a' || headers['x'] != 'a'")]
    public void CanHold_NotAlwaysTrue_IsNotClaimed(string expression) => Assert.True(new Prover(s_facts).CanHold((Compile(expression).Syntax, Claim.NotTrue)));

    [Fact]
    public void CanHold_EverythingThatIsSeen_IsPossible()
    {
        int seed = Fuzz.Seed();
        var clock = System.Diagnostics.Stopwatch.StartNew();
        double seconds = double.TryParse(Environment.GetEnvironmentVariable("POLICYSTREAMS_FUZZ_SECONDS"), out double more) ? more : 5;
        var random = new Random(seed);
        var prover = new Prover(s_facts);
        int impossible = 0, seen = 0;
        while (clock.Elapsed.TotalSeconds < seconds)
        {
            CaptureRow plan = Payments.Plan();
            var compiler = new ConditionCompiler(Payments.Type, Payments.Text, plan);
            List<Condition> conditions = [];
            while (conditions.Count < 3)
            {
                if (compiler.Compile(random.Next(3) == 0 ? CelPropertyTests.Bool(random, 2, []) : Near(random, 2), []) is { } condition) { conditions.Add(condition); }
            }

            for (int i = 0; i < 6; i++)
            {
                var records = new PlainRecords(plan);
                ConditionInput input = records.Input(records.Fill(Record(random)));
                var claims = new List<(Rules.Cel.Syntax.Expr, Claim)>();
                foreach (Condition condition in conditions)
                {
                    Truth truth = condition.Interpret(ref input, null, out _);
                    (Claim exact, Claim loose) = truth switch { Truth.True => (Claim.True, Claim.NotFalse), Truth.False => (Claim.False, Claim.NotTrue), _ => (Claim.NotTrue, Claim.NotFalse) };
                    claims.Add((condition.Syntax, exact));
                    claims.Add((condition.Syntax, loose));
                }

                Assert.True(prover.CanHold(claims), $"seed {seed}: {string.Join("; ", conditions.Select((condition, at) => $"{condition.Canonical} {claims[2 * at].Item2}"))}");
                seen++;
            }

            // That it says no now and then: else nothing was tested.
            if (!prover.CanHold(conditions.Select(condition => (condition.Syntax, Claim.True)))) { impossible++; }
        }

        Assert.True(impossible > seen / 600, $"seed {seed}: {impossible} of {seen / 6}");
    }

    /// <summary>Conditions on few values close together, so that they contradict each other often.</summary>
    private static string Near(Random random, int depth)
    {
        string Pick(params string[] from) => from[random.Next(from.Length)];
        string Order() => Pick("<", "<=", ">", ">=", "==", "!=");
        return random.Next(depth > 0 ? 16 : 10) switch
        {
            0 or 1 => $"value.amount {Order()} {Pick("0.0", "1.0", "1", "120.5", "-3.25", "1000000000000000000.0")}",
            2 => $"value.customer.age {Order()} {Pick("0", "17", "16.5", "18")}",
            3 => $"value.country {Pick("==", "!=")} {Pick("'DE'", "'NG'", "''")}",
            4 => $"value.country in {Pick("['DE']", "['DE', 'NG']", "['']", "[]")}",
            5 => $"value.note {Pick("==", "!=")} {Pick("null", "'a'", "'DE'")}",
            6 => Pick("has(value.note)", "has(value.billing)", "has(value.billing.city)", "value.flag", "value.flag == true", "value.flag != false"),
            7 => $"value.fee {Order()} {Pick("decimal('1.5')", "1.5", "0", "-0.01", "1")}",
            8 => $"{Pick("value.country", "value.note", "value.merchant")} {Order()} {Pick("value.note", "value.country", "value.attributes['k']")}",
            9 => $"size({Pick("value.items", "value.country", "value.note")}) {Order()} {Pick("0", "1", "2")}",
            10 or 11 => $"({Near(random, depth - 1)} && {Near(random, depth - 1)})",
            12 or 13 => $"({Near(random, depth - 1)} || {Near(random, depth - 1)})",
            14 => $"!({Near(random, depth - 1)})",
            _ => $"({Near(random, depth - 1)} ? {Near(random, depth - 1)} : {Near(random, depth - 1)})",
        };
    }

    private static PolicyStreams.Schemas.RecordValue Record(Random random) => CelPropertyTests.Record(random);
}
