//! The lines of a dump, once as Eseutil lays them out, once as a table.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};

use super::escape::{escape, escape_lines};

/// One line of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    /// Label, right-aligned as Eseutil has it, and value.
    Field {
        indent: usize,
        label: String,
        value: String,
    },
    /// A heading of a block.
    Heading(String),
    /// A line without a label.
    Text(String),
    /// A line that only the Eseutil layout has: spacing, or a label without a value.
    Spacing(String),
    /// A field that only the table has.
    Note { label: String, value: String },
    /// A table of its own, which the Eseutil layout leaves out.
    Grid {
        header: Vec<String>,
        rows: Vec<Vec<String>>,
    },
}

/// A dump as a list of lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    lines: Vec<Line>,
}

impl Layout {
    /// An empty dump.
    pub fn new() -> Self {
        Self::default()
    }

    /// `label: value`, the label right-aligned to `width` columns.
    pub fn field(&mut self, width: usize, label: &str, value: impl ToString) -> &mut Self {
        self.indented(width.saturating_sub(label.chars().count()), label, value)
    }

    /// `label: value` behind `indent` blanks.
    pub fn indented(&mut self, indent: usize, label: &str, value: impl ToString) -> &mut Self {
        self.lines.push(Line::Field {
            indent,
            label: label.into(),
            value: value.to_string(),
        });
        self
    }

    /// A heading.
    pub fn heading(&mut self, text: &str) -> &mut Self {
        self.lines.push(Line::Heading(text.into()));
        self
    }

    /// A sentence.
    pub fn text(&mut self, text: impl Into<String>) -> &mut Self {
        self.lines.push(Line::Text(text.into()));
        self
    }

    /// A line that a table leaves out.
    pub fn spacing(&mut self, text: impl Into<String>) -> &mut Self {
        self.lines.push(Line::Spacing(text.into()));
        self
    }

    /// A field that only the table format shows.
    pub fn note(&mut self, label: &str, value: impl ToString) -> &mut Self {
        self.lines.push(Line::Note {
            label: label.into(),
            value: value.to_string(),
        });
        self
    }

    /// A table of several columns that only the table format shows.
    pub fn grid(&mut self, header: &[&str], rows: Vec<Vec<String>>) -> &mut Self {
        self.lines.push(Line::Grid {
            header: header.iter().map(|name| (*name).to_owned()).collect(),
            rows,
        });
        self
    }

    /// A blank line, which a table leaves out.
    pub fn blank(&mut self) -> &mut Self {
        self.spacing("")
    }

    /// Eseutil's layout.
    pub fn eseutil(&self) -> String {
        let mut out = String::new();
        for line in &self.lines {
            let written = match line {
                Line::Field {
                    indent,
                    label,
                    value,
                } => {
                    writeln!(out, "{:indent$}{label}: {}", "", escape(value))
                }
                Line::Note { .. } | Line::Grid { .. } => continue,
                Line::Heading(text) | Line::Text(text) | Line::Spacing(text) => {
                    writeln!(out, "{}", escape_lines(&text.replace('\t', "    ")))
                }
            };
            debug_assert!(written.is_ok());
        }
        out
    }

    /// A table of two columns; headings and sentences take a row each.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        let mut block = String::new();
        let mut grids = String::new();
        for line in &self.lines {
            match line {
                Line::Field { label, value, .. } => {
                    let name = if block.is_empty() {
                        label.clone()
                    } else {
                        format!("{block} / {label}")
                    };
                    table.add_row([name, escape(value).into_owned()]);
                }
                Line::Note { label, value } => {
                    table.add_row([label.clone(), escape(value).into_owned()]);
                }
                Line::Grid { header, rows } => grids += &grid(header, rows),
                Line::Heading(text) => block = text.trim().trim_end_matches(':').to_owned(),
                Line::Text(text) => {
                    table.add_row([escape(text.trim()).into_owned(), String::new()]);
                }
                Line::Spacing(text) if text.is_empty() => block.clear(),
                Line::Spacing(_) => {}
            }
        }
        format!("{table}\n{grids}")
    }
}

fn grid(header: &[String], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header(header);
    for row in rows {
        table.add_row(row.iter().map(|cell| escape(cell).into_owned()));
    }
    format!("{table}\n")
}

#[cfg(test)]
mod tests {
    use super::Layout;

    #[test]
    fn one_dump_two_layouts() {
        let mut layout = Layout::new();
        layout
            .heading("Fields:")
            .field(17, "State", "Clean\x1bShutdown")
            .blank()
            .text("a sentence");
        assert_eq!(
            layout.eseutil(),
            "Fields:\n            State: Clean\\u{1b}Shutdown\n\na sentence\n"
        );
        let table = layout.table();
        assert!(table.contains("Fields / State"));
        assert!(table.contains("a sentence"));
    }
}
