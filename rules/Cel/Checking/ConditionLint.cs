using PolicyStreams.Rules.Cel.Compilation;
using PolicyStreams.Rules.Cel.Evaluation;
using PolicyStreams.Rules.Cel.Library;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Rules.Detection;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Checking;

/// <summary>
/// What is known of a checked condition without a record: constants that can never work are mistakes; a nullable value used where nothing makes sure of it,
/// and a text that is no symbol of the enum it is compared with, are notes.
/// </summary>
internal sealed class ConditionLint(CelEnvironment environment, CelSource source, PatternTable patterns, List<CelDiagnostic> mistakes, List<CelDiagnostic> notes)
{
    private const int NotesMax = 100;

    private static readonly HashSet<string> Constants = new(StringComparer.Ordinal) { "timestamp", "duration", "decimal", "ip", "cidr", "int", "uint", "double", "bool" };

    // Spellings of values that the conditions around make sure of.
    private readonly List<string> _known = [];

    public void Run(Expr expr) => Visit(expr);

    private void Visit(Expr expr)
    {
        switch (expr)
        {
            case LogicExpr logic:
                int before = _known.Count;
                foreach (Expr operand in logic.Children)
                {
                    Visit(operand);
                    Learn(operand, logic.And);
                }

                _known.RemoveRange(before, _known.Count - before);
                return;
            case ConditionalExpr conditional:
                Visit(conditional.Test);
                Under(conditional.Test, true, conditional.Then);
                Under(conditional.Test, false, conditional.Otherwise);
                return;
            case CallExpr call:
                Call(call);
                break;
            case ComprehensionExpr macro:
                Used(macro.Range);
                break;
            case SelectExpr { Test: false, Reference: null } select when select.Operand.Type.Kind == CelKind.Record:
                Used(select.Operand);
                break;
        }

        foreach (Expr child in expr.Children) { Visit(child); }
    }

    private void Under(Expr test, bool holds, Expr part)
    {
        int before = _known.Count;
        Learn(test, holds);
        Visit(part);
        _known.RemoveRange(before, _known.Count - before);
    }

    // What follows where the expression is true (or false).
    private void Learn(Expr expr, bool holds)
    {
        switch (expr)
        {
            case CallExpr { Function: Operators.Not } not:
                Learn(not.Children[0], !holds);
                break;
            case CallExpr { Function: Operators.Equal or Operators.NotEqual } call when (call.Function == Operators.NotEqual) == holds:
                if (call.Children[0] is ConstExpr { Value: null }) { _known.Add(CelPrinter.Print(call.Children[1])); }
                if (call.Children[1] is ConstExpr { Value: null }) { _known.Add(CelPrinter.Print(call.Children[0])); }
                break;
            case SelectExpr { Test: true } test when holds:
                // has(a.b.c) is false where a or a.b is null.
                Expr known = new SelectExpr(test.Position, test.Operand, test.Field);
                while (known is SelectExpr select)
                {
                    _known.Add(CelPrinter.Print(select));
                    known = select.Operand;
                }

                break;
            case LogicExpr logic when logic.And == holds:
                foreach (Expr operand in logic.Children) { Learn(operand, holds); }
                break;
        }
    }

    private void Used(Expr expr)
    {
        if (notes.Count >= NotesMax || !expr.Type.Nullable || expr is not (SelectExpr or IdentExpr or CallExpr { Function: Operators.Index })) { return; }
        string spelled = CelPrinter.Print(expr);
        if (!_known.Contains(spelled))
        {
            notes.Add(source.At(expr.Position, CelCodes.UnguardedNull, $"`{spelled}` may be null, and using a null fails the rule", $"write {spelled} != null && … in front of it"));
        }
    }

    private void Call(CallExpr call)
    {
        ReadOnlySpan<Expr> operands = call.Operands;
        bool equality = call.Function is Operators.Equal or Operators.NotEqual;
        if (!(equality && (operands[0] is ConstExpr { Value: null } || operands[1] is ConstExpr { Value: null })) && call.ResolvedName is not ("dyn" or "type" or "branch" or "optional.of" or "optional.ofNonZeroValue"))
        {
            foreach (Expr operand in operands) { Used(operand); }
        }

        if (equality)
        {
            Symbol(operands[0], operands[1]);
            Symbol(operands[1], operands[0]);
        }
        else if (call.Function == Operators.In && operands[1] is ListExpr list)
        {
            foreach (Expr element in list.Children) { Symbol(operands[0], element); }
        }

        Pattern(call);
        Constant(call);
    }

    private void Symbol(Expr value, Expr constant)
    {
        if (notes.Count >= NotesMax || value.Type.Schema is not { Symbols.Count: > 0 } schema || constant is not ConstExpr { Value: string text } || schema.Symbols.Contains(text)) { return; }
        string? near = NearestName.Find(text, schema.Symbols);
        notes.Add(source.At(constant.Position, CelCodes.NotASymbol, $"\"{text}\" is no symbol of {schema.FullName ?? "the enum"}", near is null ? $"its symbols are {string.Join(", ", schema.Symbols.Take(10))}" : $"did you mean \"{near}\"?"));
    }

    private void Pattern(CallExpr call)
    {
        if (call.ResolvedName != "matches" || call.Operands.Length != 2) { return; }
        Expr pattern = call.Operands[1];
        if (pattern is not ConstExpr { Value: string text }) { mistakes.Add(source.At(pattern.Position, CelCodes.Pattern, "the pattern of matches() must be a constant", "write it as a string, best as r\"...\"")); }
        else if (!patterns.TryGet(text, out _, out string? mistake)) { mistakes.Add(source.At(pattern.Position, CelCodes.Pattern, $"not a pattern that can be used: {mistake}")); }
    }

    private void Constant(CallExpr call)
    {
        ReadOnlySpan<Expr> operands = call.Operands;
        bool conversion = !call.ResolvedMember && operands.Length == 1 && Constants.Contains(call.ResolvedName) && operands[0] is ConstExpr { Value: not null };
        if (conversion)
        {
            if (Evaluate(call) is ErrorValue) { mistakes.Add(source.At(call.Position, CelCodes.Constant, $"`{call.ResolvedName}` cannot read this constant")); }
            return;
        }

        if (call is { ResolvedName: "detected", ResolvedMember: false } && operands.Length == 2)
        {
            if (operands[1] is not ConstExpr { Value: string name }) { mistakes.Add(source.At(operands[1].Position, CelCodes.Constant, "the detector of detected() must be a constant", $"one of {string.Join(", ", Detectors.Names)}")); }
            else if (!Detectors.TryParse(name, out _)) { mistakes.Add(source.At(operands[1].Position, CelCodes.Constant, $"\"{Yaml.YamlReader.Shown(name)}\" is no detector", NearestName.Help(name, [.. Detectors.Names], "detectors"))); }
        }

        if (call.ResolvedName == "inCidr" && operands.Length == 2)
        {
            foreach (Expr network in operands[1] is ListExpr list ? list.Children : operands[1..])
            {
                if (network is ConstExpr { Value: string text } && !CidrValue.TryParse(text, out _)) { mistakes.Add(source.At(network.Position, CelCodes.Constant, "not a network: ADDRESS/BITS, as 10.0.0.0/8")); }
            }
        }

        if (call.ResolvedMember && operands.Length == 2 && operands[0].Type.Kind == CelKind.Timestamp && call.Function.StartsWith("get", StringComparison.Ordinal)
            && operands[1] is ConstExpr { Value: string zone } && !CelTime.IsZone(zone))
        {
            mistakes.Add(source.At(operands[1].Position, CelCodes.Constant, "unknown time zone", "an IANA name as Europe/Berlin, or an offset as +02:00"));
        }
    }

    private object? Evaluate(Expr expr)
    {
        ConditionInput none = default;
        EvalState state = EvalState.Rent(0);
        object? value = new Planner(environment, null, null).Plan(expr).Eval(ref none, state);
        state.Return();
        return value;
    }
}
