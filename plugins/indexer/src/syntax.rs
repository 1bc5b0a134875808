//! What a parsed file defines and mentions: one walk over the tree, with a bound on everything it keeps.

use crate::languages::{Grammar, Named, Role, Rule};
use std::collections::{BTreeMap, BTreeSet};
use tree_sitter::{Node, Parser, Tree};

/// Definitions of one file.
pub const DEFINITIONS_MAX: usize = 10_000;
/// Different names that one file mentions.
pub const MENTIONS_MAX: usize = 5_000;
/// Parse errors of one file that are told.
const ERRORS_MAX: usize = 20;
/// Bytes of a name; what is longer is none that anybody types.
const NAME_BYTES_MAX: usize = 200;
/// Containers whose names stand before that of what they contain.
const DEPTH_MAX: usize = 8;
/// Nodes around a definition that belong to it: decorators, `export`, `template`.
const WRAPPERS: &[&str] = &[
    "ambient_declaration",
    "decorated_definition",
    "export_statement",
    "expression_statement",
    "lexical_declaration",
    "template_declaration",
    "type_declaration",
    "variable_declaration",
];
/// Values that make a variable a function.
const FUNCTIONS: &[&str] = &["arrow_function", "function_expression", "generator_function", "lambda"];

/// A name that a file defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// As written.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
    /// Where its name is, from 1.
    pub line: u32,
}

/// Lines that make a piece of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The definition's name, after the names of what it is in.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
    /// From 1, with decorators.
    pub first_line: u32,
    /// Inclusive; none where it goes on until the next one of its sort.
    pub last_line: Option<u32>,
}

/// What one file says.
#[derive(Debug, Default)]
pub struct Syntax {
    /// In the order of the text.
    pub definitions: Vec<Definition>,
    /// By their beginnings; outer ones before what is in them.
    pub cuts: Vec<Cut>,
    /// Identifiers in its code that it does not define, each with its first line.
    pub mentions: BTreeMap<String, u32>,
    /// What does not parse, with its line.
    pub errors: Vec<Definition>,
    /// Bytes that the parser could make nothing of.
    pub unread_bytes: usize,
}

/// Parses the file. None: the parser gave up.
pub fn parse(grammar: &Grammar, text: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&grammar.language).ok()?;
    parser.parse(text, None)
}

/// Walks the tree in the order of the text.
pub fn walk(grammar: &Grammar, tree: &Tree, text: &str) -> Syntax {
    let kinds = 0..=u16::try_from(grammar.language.node_kind_count()).unwrap_or(u16::MAX);
    let kinds: Vec<&str> = kinds.map(|id| grammar.language.node_kind_for_id(id).unwrap_or_default()).collect();
    let rules: Vec<Vec<&Rule>> = kinds.iter().map(|kind| grammar.rules.iter().filter(|rule| rule.node == *kind).collect()).collect();
    let is_name: Vec<bool> = kinds.iter().map(|kind| kind.ends_with("identifier")).collect();
    let mut walk = Walk { text, syntax: Syntax::default(), open: Vec::new() };
    // There are millions of nodes, and most say nothing: each question about one is asked only where it matters.
    let has_errors = tree.root_node().has_error();
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        let kind = usize::from(node.kind_id());
        if has_errors && (node.is_error() || node.is_missing()) {
            walk.error(node);
        } else if let Some(rules) = rules.get(kind).filter(|rules| !rules.is_empty()) {
            rules.iter().find(|rule| walk.define(rule, node));
        } else if is_name.get(kind) == Some(&true) && node.child_count() == 0 {
            walk.mention(node);
        }
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return walk.end();
            }
        }
    }
}

/// A definition whose end has not been reached.
struct Open {
    end: usize,
    name: String,
    kind: &'static str,
    role: Role,
}

struct Walk<'a> {
    text: &'a str,
    syntax: Syntax,
    open: Vec<Open>,
}

impl<'a> Walk<'a> {
    /// Takes a node as the definition that the rule describes. False where it is none.
    fn define(&mut self, rule: &Rule, node: Node<'a>) -> bool {
        self.open.retain(|outer| node.start_byte() < outer.end);
        let holds_function = ["value", "right"].iter().any(|field| {
            let value = node.child_by_field_name(field);
            value.is_some_and(|value| FUNCTIONS.contains(&value.kind()))
        });
        let (role, kind) = match rule.role {
            Role::IfFunction if !holds_function => return false,
            Role::IfFunction => (Role::Function, "function"),
            Role::Plain if holds_function => (Role::Function, "function"),
            role => (role, rule.kind),
        };
        let in_function = self.open.iter().any(|outer| outer.role == Role::Function);
        if role == Role::Plain && in_function || self.syntax.definitions.len() >= DEFINITIONS_MAX {
            return false;
        }
        // `struct point p;` uses a type; a body defines it.
        if node.kind().ends_with("_specifier") && node.child_by_field_name("body").is_none() {
            return false;
        }
        let in_class = self.open.last().is_some_and(|outer| matches!(outer.role, Role::Container | Role::Scope) && outer.kind != "module");
        let kind = if kind == "function" && in_class { "method" } else { kind };
        let names: Vec<Node<'a>> = name_nodes(rule.named, node, self.text);
        for named in &names {
            self.add(role, kind, node, *named);
        }
        !names.is_empty()
    }

    fn add(&mut self, role: Role, kind: &'static str, node: Node<'a>, named: Node<'a>) {
        let name = self.text[named.byte_range()].trim_matches(['"', '\'', '`']);
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return;
        }
        let in_whole = self.open.iter().any(|outer| matches!(outer.role, Role::Function | Role::Type));
        if role != Role::Plain && !in_whole && self.open.len() <= DEPTH_MAX {
            let mut whole = node;
            while let Some(parent) = whole.parent().filter(|parent| WRAPPERS.contains(&parent.kind())) {
                whole = parent;
            }
            let outer = self.open.iter().map(|outer| outer.name.as_str());
            self.syntax.cuts.push(Cut {
                name: outer.chain([name.as_str()]).collect::<Vec<_>>().join("."),
                kind,
                first_line: line(whole),
                last_line: (role != Role::Heading).then(|| last_line(node)),
            });
        }
        if role != Role::Scope {
            self.syntax.definitions.push(Definition { name: name.clone(), kind, line: line(named) });
        }
        if !matches!(role, Role::Plain | Role::Heading) {
            self.open.push(Open { end: node.end_byte(), name, kind, role });
        }
    }

    fn mention(&mut self, node: Node<'a>) {
        let name = &self.text[node.byte_range()];
        let is_kept = self.syntax.mentions.len() < MENTIONS_MAX && (3..=NAME_BYTES_MAX).contains(&name.len());
        if is_kept && !self.syntax.mentions.contains_key(name) {
            self.syntax.mentions.insert(name.to_owned(), line(node));
        }
    }

    fn error(&mut self, node: Node<'a>) {
        if node.is_error() {
            self.syntax.unread_bytes += node.byte_range().len();
        }
        if self.syntax.errors.len() < ERRORS_MAX {
            let name = if node.is_missing() {
                format!("`{}` is missing", node.kind())
            } else {
                let begins: String = self.text[node.byte_range()].lines().next().unwrap_or_default().trim().chars().take(60).collect();
                format!("not understood: `{begins}`")
            };
            self.syntax.errors.push(Definition { name, kind: "error", line: line(node) });
        }
    }

    fn end(mut self) -> Syntax {
        let own: BTreeSet<&str> = self.syntax.definitions.iter().map(|found| found.name.as_str()).collect();
        self.syntax.mentions.retain(|name, _| !own.contains(name.as_str()));
        self.syntax
    }
}

/// Where a definition has its names; most have one.
fn name_nodes<'a>(named: Named, node: Node<'a>, text: &str) -> Vec<Node<'a>> {
    let mut cursor = node.walk();
    match named {
        Named::Field(field) => node.children_by_field_name(field, &mut cursor).flat_map(last_segment).collect(),
        Named::Declarator => {
            // A prototype says that something is defined elsewhere.
            let declares = |node: &Node<'a>| !(node.kind() == "function_declarator" && text_is_prototype(*node));
            node.children_by_field_name("declarator", &mut cursor).filter(declares).filter_map(declared).collect()
        }
        Named::Child(kind) => node.children(&mut cursor).find(|child| child.kind() == kind).into_iter().collect(),
        Named::Id => {
            let is_id = |attribute: &Node<'a>| attribute.child(0).is_some_and(|name| &text[name.byte_range()] == "id");
            let value = |attribute: Node<'a>| attribute.child(2);
            node.children(&mut cursor).filter(|child| child.kind() == "attribute").find(is_id).and_then(value).into_iter().collect()
        }
    }
}

/// `b` of `a.b` and `a::b`, `T` of `T<U>`, both names of `a, b`.
fn last_segment(node: Node<'_>) -> Vec<Node<'_>> {
    let inner = match node.kind() {
        "member_expression" => node.child_by_field_name("property"),
        "generic_type" => node.child_by_field_name("type"),
        "qualified_identifier" | "scoped_type_identifier" | "scoped_identifier" => node.child_by_field_name("name"),
        "pattern_list" | "tuple_pattern" => {
            let mut cursor = node.walk();
            return node.named_children(&mut cursor).filter(|child| child.kind() == "identifier").collect();
        }
        // `x[0] = 1` and `self.x = 1` define nothing; neither does taking an object apart.
        "attribute" | "subscript" | "object_pattern" | "array_pattern" | "list_pattern" | "subscript_expression" => return Vec::new(),
        _ => return vec![node],
    };
    inner.map(last_segment).unwrap_or_default()
}

/// The name at the end of C's declarators: `f` of `*f(int a)[3]`.
fn declared(mut node: Node<'_>) -> Option<Node<'_>> {
    loop {
        node = match node.kind() {
            "identifier" | "field_identifier" | "type_identifier" | "operator_name" | "destructor_name" => return Some(node),
            "qualified_identifier" => node.child_by_field_name("name")?,
            _ => match node.child_by_field_name("declarator") {
                Some(inner) => inner,
                // References and parentheses name no field.
                None => node.named_children(&mut node.walk()).find(|child| child.kind() != "type_qualifier")?,
            },
        };
    }
}

/// Whether a function's declarator stands in a declaration without a body.
fn text_is_prototype(declarator: Node<'_>) -> bool {
    declarator.parent().is_some_and(|parent| parent.kind() == "declaration")
}

fn line(node: Node<'_>) -> u32 {
    u32::try_from(node.start_position().row + 1).unwrap_or(u32::MAX)
}

/// The last line that has something of the node; one that ends at the beginning of a line ends on the one before.
fn last_line(node: Node<'_>) -> u32 {
    let end = node.end_position();
    let row = if end.column == 0 { end.row } else { end.row + 1 };
    u32::try_from(row).unwrap_or(u32::MAX).max(line(node))
}
