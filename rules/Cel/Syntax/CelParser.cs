using PolicyStreams.Rules.Cel.Checking;

namespace PolicyStreams.Rules.Cel.Syntax;

/// <summary>Bounds of one expression: beyond them it is a diagnostic.</summary>
internal static class CelLimits
{
    /// <summary>UTF-16 units of the text.</summary>
    public const int TextMax = 256 * 1024;

    /// <summary>Parentheses, brackets, calls, and conditionals inside one another while parsing.</summary>
    public const int NestingMax = 150;

    /// <summary>Depth of the tree; a chain of 400 sums is one.</summary>
    public const int DepthMax = 500;

    public const int NodesMax = 100_000;
}

/// <summary>Parses cel-spec's grammar by recursive descent. Macros that bind variables become nodes of their own.</summary>
internal sealed class CelParser
{
    private static readonly HashSet<string> Reserved =
        new(StringComparer.Ordinal) { "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while" };

    private readonly CelLexer _lexer;
    private Token _token;
    private Token _next;
    private int _nesting;
    private int _nodes;

    private CelParser(string text)
    {
        _lexer = new CelLexer(text);
        _token = _lexer.Next();
        _next = _lexer.Next();
    }

    /// <summary>Parses the whole text.</summary>
    /// <returns>Null after a mistake, which is added to <paramref name="diagnostics"/>.</returns>
    public static Expr? Parse(CelSource source, ICollection<CelDiagnostic> diagnostics)
    {
        try
        {
            if (source.Text.Length > CelLimits.TextMax) { throw new CelException(0, CelCodes.TooLarge, $"an expression may have {CelLimits.TextMax} characters"); }
            var parser = new CelParser(source.Text);
            Expr expr = parser.Expression();
            if (parser._token.Kind != TokenKind.End) { throw parser.Unexpected("an operator or the end"); }
            return expr;
        }
        catch (CelException mistake)
        {
            diagnostics.Add(source.At(mistake.Position, mistake.Code, mistake.Message, mistake.Help));
            return null;
        }
    }

    private void Advance()
    {
        _token = _next;
        _next = _token.Kind == TokenKind.End ? _token : _lexer.Next();
    }

    private bool Is(string punctuation) => _token.Kind == TokenKind.Punctuation && _token.Text == punctuation;

    private bool Take(string punctuation)
    {
        if (!Is(punctuation)) { return false; }
        Advance();
        return true;
    }

    private void Expect(string punctuation)
    {
        if (!Take(punctuation)) { throw Unexpected($"`{punctuation}`"); }
    }

    private CelException Unexpected(string wanted) =>
        new(_token.Position, CelCodes.Syntax, _token.Kind == TokenKind.End ? $"the expression ends where {wanted} is expected" : $"{wanted} is expected here");

    private T Made<T>(T expr) where T : Expr
    {
        if (expr.Depth > CelLimits.DepthMax) { throw new CelException(expr.Position, CelCodes.TooLarge, $"nested deeper than {CelLimits.DepthMax}"); }
        if (++_nodes > CelLimits.NodesMax) { throw new CelException(expr.Position, CelCodes.TooLarge, $"more than {CelLimits.NodesMax} parts"); }
        return expr;
    }

    private Expr Expression()
    {
        if (++_nesting > CelLimits.NestingMax) { throw new CelException(_token.Position, CelCodes.TooLarge, $"nested deeper than {CelLimits.NestingMax}"); }
        Expr test = Logic(and: false);
        if (Is("?"))
        {
            int position = _token.Position;
            Advance();
            Expr then = Logic(and: false);
            Expect(":");
            Expr otherwise = Expression();
            test = Made(new ConditionalExpr(position, test, then, otherwise));
        }

        _nesting--;
        return test;
    }

    private Expr Logic(bool and)
    {
        Expr first = and ? Relation() : Logic(and: true);
        string op = and ? "&&" : "||";
        if (!Is(op)) { return first; }
        int position = _token.Position;
        var operands = new List<Expr>();
        Flatten(operands, first, and);
        while (Take(op)) { Flatten(operands, and ? Relation() : Logic(and: true), and); }
        return Made(new LogicExpr(position, and, [.. operands]));
    }

    private static void Flatten(List<Expr> operands, Expr operand, bool and)
    {
        if (operand is LogicExpr logic && logic.And == and) { operands.AddRange(logic.Children); }
        else { operands.Add(operand); }
    }

    private Expr Relation()
    {
        Expr left = Sum();
        while (true)
        {
            string? op = _token.Kind switch
            {
                TokenKind.Punctuation when _token.Text is "==" or "!=" or "<" or "<=" or ">" or ">=" => $"_{_token.Text}_",
                TokenKind.Ident when _token.Text == "in" => Operators.In,
                _ => null,
            };
            if (op is null) { return left; }
            left = Binary(op, left, Sum);
        }
    }

    private Expr Sum()
    {
        Expr left = Product();
        while (_token.Kind == TokenKind.Punctuation && _token.Text is "+" or "-") { left = Binary($"_{_token.Text}_", left, Product); }
        return left;
    }

    private Expr Product()
    {
        Expr left = Unary();
        while (_token.Kind == TokenKind.Punctuation && _token.Text is "*" or "/" or "%") { left = Binary($"_{_token.Text}_", left, Unary); }
        return left;
    }

    private CallExpr Binary(string op, Expr left, Func<Expr> right)
    {
        int position = _token.Position;
        Advance();
        return Made(new CallExpr(position, op, false, left, right()));
    }

    private Expr Unary()
    {
        if (!Is("!") && !Is("-")) { return Member(); }
        string op = _token.Text;
        int position = _token.Position, count = 0;
        while (Is(op))
        {
            // The sign of a number's literal is part of it, so that -2^63 can be written.
            if (op == "-" && count % 2 == 0 && _next.Kind is TokenKind.Int or TokenKind.Double) { return count == 0 ? Member() : Made(Member()); }
            count++;
            Advance();
        }

        Expr operand = Member();
        return count % 2 == 0 ? operand : Made(new CallExpr(position, op == "!" ? Operators.Not : Operators.Negate, false, operand));
    }

    private Expr Member()
    {
        Expr member = Primary();
        while (true)
        {
            int position = _token.Position;
            if (Take("."))
            {
                bool optional = Take("?");
                (string name, bool quoted) = FieldName();
                if (!quoted && !optional && Is("(")) { member = Call(position, name, member); }
                else { member = Made(new SelectExpr(position, member, name, optional: optional)); }
            }
            else if (Take("["))
            {
                bool optional = Take("?");
                Expr index = Expression();
                Expect("]");
                member = Made(new CallExpr(position, optional ? Operators.OptionalIndex : Operators.Index, false, member, index));
            }
            else if (Is("{") && TypeName(member) is string type) { member = Struct(position, type); }
            else { return member; }
        }
    }

    private (string Name, bool Quoted) FieldName()
    {
        Token name = _token;
        if (name.Kind is not (TokenKind.Ident or TokenKind.Quoted) || (name.Kind == TokenKind.Ident && name.Text is "in" or "true" or "false" or "null")) { throw Unexpected("a field's name"); }
        Advance();
        return (name.Text, name.Kind == TokenKind.Quoted);
    }

    private static string? TypeName(Expr expr) => expr switch
    {
        IdentExpr ident => ident.Absolute ? "." + ident.Name : ident.Name,
        SelectExpr { Test: false, Optional: false } select => TypeName(select.Operand) is string head ? $"{head}.{select.Field}" : null,
        _ => null,
    };

    private Expr Primary()
    {
        Token token = _token;
        switch (token.Kind)
        {
            case TokenKind.Punctuation when token.Text == "-" && _next.Kind is TokenKind.Int or TokenKind.Double:
                Advance();
                token = _token;
                Advance();
                // The casts keep the two apart: without them an int would become a double.
                return Made(new ConstExpr(token.Position, token.Value is ulong magnitude ? (object)unchecked(-(long)magnitude) : (object)-(double)token.Value!));
            case TokenKind.Int:
                Advance();
                return (ulong)token.Value! > long.MaxValue
                    ? throw new CelException(token.Position, CelCodes.Syntax, "not an integer of 64 bits")
                    : Made(new ConstExpr(token.Position, (long)(ulong)token.Value));
            case TokenKind.UInt or TokenKind.Double or TokenKind.String or TokenKind.Bytes:
                Advance();
                return Made(new ConstExpr(token.Position, token.Value));
            case TokenKind.Punctuation when token.Text == "(":
                Advance();
                Expr inner = Expression();
                Expect(")");
                return inner;
            case TokenKind.Punctuation when token.Text == "[":
                Advance();
                return List(token.Position);
            case TokenKind.Punctuation when token.Text == "{":
                Advance();
                return Map(token.Position);
            case TokenKind.Punctuation when token.Text == ".":
                Advance();
                return Name(token.Position, absolute: true);
            case TokenKind.Ident:
                return Name(token.Position, absolute: false);
            default:
                throw Unexpected("a value");
        }
    }

    private Expr Name(int position, bool absolute)
    {
        Token token = _token;
        if (token.Kind != TokenKind.Ident) { throw Unexpected("a name"); }
        if (!absolute)
        {
            switch (token.Text)
            {
                case "true": Advance(); return Made(new ConstExpr(position, true));
                case "false": Advance(); return Made(new ConstExpr(position, false));
                case "null": Advance(); return Made(new ConstExpr(position, null));
            }
        }

        if (token.Text is "in" or "true" or "false" or "null") { throw Unexpected("a value"); }
        if (Reserved.Contains(token.Text)) { throw new CelException(position, CelCodes.Syntax, $"`{token.Text}` is a reserved word"); }
        Advance();
        return Is("(") ? Call(position, absolute ? "." + token.Text : token.Text, null) : Made(new IdentExpr(position, token.Text, absolute));
    }

    private Expr Call(int position, string name, Expr? target)
    {
        Expect("(");
        var args = new List<Expr>();
        if (!Is(")"))
        {
            do { args.Add(Expression()); }
            while (Take(",") && !Is(")"));
        }

        Expect(")");
        Expr? macro = CelMacros.Expand(position, name, target, args);
        if (macro is not null) { return Made(macro); }
        return target is null
            ? Made(new CallExpr(position, name, false, [.. args]))
            : Made(new CallExpr(position, name, true, [target, .. args]));
    }

    private ListExpr List(int position)
    {
        var elements = new List<Expr>();
        var optional = new List<bool>();
        while (!Is("]"))
        {
            optional.Add(Take("?"));
            elements.Add(Expression());
            if (!Take(",")) { break; }
        }

        Expect("]");
        return Made(new ListExpr(position, [.. elements], optional.Contains(true) ? [.. optional] : null));
    }

    private MapExpr Map(int position)
    {
        var entries = new List<Expr>();
        var optional = new List<bool>();
        while (!Is("}"))
        {
            optional.Add(Take("?"));
            entries.Add(Expression());
            Expect(":");
            entries.Add(Expression());
            if (!Take(",")) { break; }
        }

        Expect("}");
        return Made(new MapExpr(position, [.. entries], optional.Contains(true) ? [.. optional] : null));
    }

    private StructExpr Struct(int position, string type)
    {
        Expect("{");
        var fields = new List<string>();
        var values = new List<Expr>();
        while (!Is("}"))
        {
            Take("?");
            fields.Add(FieldName().Name);
            Expect(":");
            values.Add(Expression());
            if (!Take(",")) { break; }
        }

        Expect("}");
        return Made(new StructExpr(position, type, [.. fields], [.. values]));
    }
}
